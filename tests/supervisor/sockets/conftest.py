"""Shared by the tests of listening sockets."""

from collections.abc import Iterator

import pytest

from answerback.supervisor.sockets.table import Sockets


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    made = Sockets(2)
    yield made
    made.close_all()
