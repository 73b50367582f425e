"""Both engines on both loops, with an upstream on TCP, and both engines between Unix sockets."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.conftest import UNIX_KINDS, each_of
from tests.net.relay.upstreams import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """An upstream on TCP."""
    it = Server()
    yield it
    it.close()


unix_serving = each_of(UNIX_KINDS)


@pytest.fixture
def unix_server() -> Iterator[Server]:
    """An upstream on a Unix socket."""
    with tempfile.TemporaryDirectory() as folder:
        it = Server(Path(folder) / "up")
        yield it
        it.close()
