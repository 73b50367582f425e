"""A process that stands for a server."""

import subprocess
from collections.abc import Iterator

import pytest

from bench.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        yield Server(process, 1)
        assert process.stdin is not None
        process.stdin.close()
