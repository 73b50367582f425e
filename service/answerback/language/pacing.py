"""Pauses for a thread that works while an event loop in the same process must answer."""

import time

SLICE = 0.002  # seconds of work between two pauses
SHARE = 0.5  # of the time worked, for others


class Pacer:
    """Called now and then by a thread at work: sleeps for half as long as it has worked since the last time.

    What holds the interpreter for some milliseconds at a time, as RE2 does when it compiles, would otherwise take it
    again each time that the event loop gives it up for a system call.
    """

    def __init__(self) -> None:
        self._since = time.thread_time()

    def __call__(self) -> None:
        """Sleep, if it was long enough."""
        worked = time.thread_time() - self._since
        if worked >= SLICE:
            time.sleep(SHARE * worked)  # noqa: TID251 - it runs in a thread, and its purpose is to let the others run
            self._since = time.thread_time()
