"""Both engines on both loops, with an upstream on TCP, and both engines between Unix sockets."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.conftest import KINDS, UNIX_KINDS, Serving, serving_as
from tests.net.relay.upstreams import Server


@pytest.fixture(params=KINDS)
def serving(request: pytest.FixtureRequest) -> Iterator[Serving]:
    """Both engines on both loops."""
    with serving_as(request.param) as it:
        yield it


@pytest.fixture
def server() -> Iterator[Server]:
    """An upstream on TCP."""
    it = Server()
    yield it
    it.close()


@pytest.fixture(params=UNIX_KINDS)
def unix_serving(request: pytest.FixtureRequest) -> Iterator[Serving]:
    """Both engines, listening on Unix sockets."""
    with serving_as(request.param) as it:
        yield it


@pytest.fixture
def unix_server() -> Iterator[Server]:
    """An upstream on a Unix socket."""
    with tempfile.TemporaryDirectory() as folder:
        it = Server(Path(folder) / "up")
        yield it
        it.close()
