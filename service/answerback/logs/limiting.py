"""What is said again and again is said BURST times in a while, and then how often it was held back."""

# Rule: nothing here knows the time; callers pass it.

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from answerback.logs.formatting import message

BURST: Final = 5
SECONDS: Final = 10.0
MOST: Final = 1000  # different texts that are remembered; a text beyond them is not held back
FROM: Final = logging.WARNING  # what reports a change or a start is never held back

Key = tuple[str, int, str]


@dataclass(slots=True)
class Window:
    """How often an event was said since it began."""

    record: logging.LogRecord
    end: float
    said: int = 0
    held_back: int = 0


class Limiter:
    """Of warnings and errors with the same text, or raised by the same line of ours; for use in several threads."""

    def __init__(self) -> None:
        self._windows: dict[Key, Window] = {}  # the oldest first
        self._lock = threading.Lock()

    def due(self) -> float | None:
        """When there may be a summary; None while nothing is counted."""
        with self._lock:
            return next((window.end for window in self._windows.values()), None)

    def admits(self, record: logging.LogRecord, now: float) -> bool:
        """Whether the event is to be written; if not, it is counted."""
        if record.levelno < FROM:
            return True
        # A traceback belongs to a place; its text may carry an incident's number.
        key = record.name, record.levelno, str(record.msg) if record.exc_info else message(record)
        with self._lock:
            window = self._windows.get(key)
            if window is None:
                if len(self._windows) >= MOST:
                    return True
                window = self._windows[key] = Window(record, now + SECONDS)
            if window.said < BURST:
                window.said += 1
                return True
            window.held_back += 1
            return False

    def summaries(self, now: float | None) -> Iterator[logging.LogRecord]:
        """An event for each that was held back, and whose time is over; of all of them without a time."""
        with self._lock:
            over = [key for key, window in self._windows.items() if now is None or window.end <= now]
            windows = [self._windows.pop(key) for key in over]
        for window in windows:
            if window.held_back:
                yield _summary(window)


def _summary(window: Window) -> logging.LogRecord:
    record = window.record
    text = f"{message(record)} … {window.held_back} more like this in {SECONDS:g} s"
    values = {"name": record.name, "levelno": record.levelno, "levelname": record.levelname, "msg": text}
    return logging.makeLogRecord({**values, "repeated": window.held_back})
