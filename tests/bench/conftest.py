"""A process in place of a server, and signals that pytest keeps."""

import signal
import subprocess
from collections.abc import Iterator

import pytest

from bench.server import Server


@pytest.fixture(autouse=True)
def _signals_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda _number, _handler: None)


@pytest.fixture
def server() -> Iterator[Server]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        yield Server(process, 1)
        assert process.stdin is not None
        process.stdin.close()
