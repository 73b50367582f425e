"""Suppresses repeated events: BURST per time window are logged, then a summary with their number."""

# Rule: nothing here knows the time; callers pass it.

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from answerback.logs.formatting import message

BURST: Final = 5
SECONDS: Final = 10.0
MOST: Final = 1000  # max. number of remembered texts; further ones are not suppressed
FROM: Final = logging.WARNING  # events of changes and starts are never suppressed

Key = tuple[str, int, str]


@dataclass(slots=True)
class Window:
    """How often an event occurred in its time window."""

    record: logging.LogRecord
    end: float
    said: int = 0
    held_back: int = 0


class Limiter:
    """Limits warnings and errors with the same text, or raised at the same line; thread-safe."""

    def __init__(self) -> None:
        self._windows: dict[Key, Window] = {}  # the oldest first
        self._lock = threading.Lock()

    def due(self) -> float | None:
        """Return when the next summary may be due; None if nothing is suppressed."""
        with self._lock:
            return next((window.end for window in self._windows.values()), None)

    def admits(self, record: logging.LogRecord, now: float) -> bool:
        """Whether to write the event; if not, it is counted."""
        if record.levelno < FROM:
            return True
        # Events with a traceback are compared by place; their text may contain an incident's number.
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
        """Yield a summary of each suppressed event whose window is over; of all of them if `now` is None."""
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
