"""Logging configured by a test, and restored after it."""

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from answerback import logs

Configure = Callable[..., logging.Logger]


class Written(io.StringIO):
    """What is logged."""

    def text(self) -> str:
        """All of it so far."""
        logs.flush()
        return self.getvalue()

    def lines(self) -> list[str]:
        """The same by lines."""
        return self.text().splitlines()


@pytest.fixture
def stream() -> Iterator[Written]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook, threading.excepthook
    yield Written()
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook, threading.excepthook = before


@pytest.fixture
def configure(stream: Written) -> Configure:
    """Log to `stream`: `configure("json", "info", worker=1)`."""

    def to_stream(form: str, level: str = "info", **fields: object) -> logging.Logger:
        logs.configure(form, level, stream=stream, **fields)
        return logging.getLogger("answerback.somewhere")

    return to_stream
