"""Waiting for a condition, in tests that talk to other processes."""

# Rule: no test sleeps for a time; it waits for what it needs, and says what that was when it does not come.

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.05  # short beside what any process needs to start


def eventually(attempt: Callable[[], T], within: float = 30.0, what: str = "") -> T:
    """The first true value of `attempt`; OSError counts as not yet. Raises AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    last: object = None
    while time.monotonic() < deadline:
        try:
            value = attempt()
        except OSError as error:
            last = error
        else:
            if value:
                return value
            last = value
        pause.wait(INTERVAL)
    raise AssertionError(f"not within {within} s: {what or getattr(attempt, '__name__', attempt)}; last: {last!r}")
