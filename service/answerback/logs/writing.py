"""Writes lines to a stream that may not be read: a bounded queue, and a writer thread."""

# Rule: `put` never waits for the stream. Lines that do not fit are dropped, and their number is written instead.
# Rule: a line is one write, so that lines of several processes do not mix in a pipe (write(2): up to PIPE_BUF bytes).

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

QUEUED: Final = 1 << 20  # max. characters queued; a pipe holds 64 KiB more

Due = Callable[[], tuple[list[str], float | None]]


class Writer:
    """Writes lines. Its thread starts with the first line: most workers never log anything."""

    def __init__(self, stream: TextIO, due: Due, dropped: Callable[[int], str], queued: int = QUEUED) -> None:
        """`due` returns the lines that are due, and in how many seconds to call it again.

        `dropped` makes the line that reports a number of dropped lines.
        """
        self._stream = stream  # stays open for as long as its descriptor is written to
        self._write = _writing_to(stream)
        self._due = due
        self._line_of_dropped = dropped
        self._queued = queued
        self._room = queued
        self._lines: deque[str | int] = deque()  # a number stands for this many dropped lines
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, line: str) -> None:
        """Queue a line, if there is room for it."""
        with self._changed:
            lines = self._lines
            if lines and isinstance(lines[-1], int):
                if self._room < self._queued // 2:  # prefers one large gap to many small ones
                    lines[-1] += 1
                    return
            elif len(line) > self._room:
                lines.append(1)
                return
            self._room -= len(line)
            lines.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until all lines are written, for at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._busy, seconds)

    def close(self, seconds: float) -> None:
        """Flush, then end the thread."""
        self.flush(seconds)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            lines, wait = self._due()
            for line in lines:
                self._write(line)
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._closed, wait)
                if self._closed:
                    return
                if not self._lines:
                    continue
                one = self._lines.popleft()
                self._room += len(one) if isinstance(one, str) else 0
                self._busy = True
            self._write(one if isinstance(one, str) else self._line_of_dropped(one))


def _writing_to(stream: TextIO) -> Callable[[str], None]:
    """Return a function that writes a line; errors of the stream are ignored."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # not a file: set by a test or a library

        def write(line: str) -> None:
            with suppress(OSError, ValueError):
                stream.write(f"{line}\n")
                stream.flush()

        return write
    # Bypasses the stream's buffer: a blocked write would hold its lock, and block the interpreter's exit.
    return lambda line: _write_all(descriptor, f"{line}\n".encode(errors="backslashreplace"))


def _write_all(descriptor: int, data: bytes) -> None:
    with suppress(OSError):
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:  # another process with the same terminal made it non-blocking
                ready = select.poll()
                ready.register(descriptor, select.POLLOUT)
                ready.poll()
