"""Lines to a stream that may not be read: a bounded queue, and a thread that writes what is in it."""

# Rule: `put` never waits for the stream. What does not fit is dropped, and counted in its place.
# Rule: a line is one write, so that those of several processes do not mix in a pipe (write(2): up to PIPE_BUF bytes).

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

QUEUED: Final = 1 << 20  # characters; a pipe holds 64 KiB beside them

Due = Callable[[], tuple[list[str], float | None]]


class Writer:
    """Writes lines. Its thread begins with the first one: most workers never say anything."""

    def __init__(self, stream: TextIO, due: Due, dropped: Callable[[int], str], queued: int = QUEUED) -> None:
        """`due` gives the lines to be written because time has passed, and in how many seconds to ask it again.

        `dropped` makes the line that stands where so many were dropped.
        """
        self._stream = stream  # stays open for as long as its descriptor is written to
        self._write = _writing_to(stream)
        self._due = due
        self._line_of_dropped = dropped
        self._queued = queued
        self._room = queued
        self._lines: deque[str | int] = deque()  # a number stands for so many that were dropped
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, line: str) -> None:
        """Have a line written, if there is room for it."""
        with self._changed:
            lines = self._lines
            if lines and isinstance(lines[-1], int):
                if self._room < self._queued // 2:  # one gap in many lines rather than many gaps
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
        """Wait until everything is written, so long at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._busy, seconds)

    def close(self, seconds: float) -> None:
        """The same, then end the thread."""
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
    """Writes a line; whether anybody is there to read it is not asked."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # no file: what a test or a library has put there

        def write(line: str) -> None:
            with suppress(OSError, ValueError):
                stream.write(f"{line}\n")
                stream.flush()

        return write
    # Past the stream's own buffer: its lock would be held by a write that waits, and the interpreter's end with it.
    return lambda line: _write_all(descriptor, f"{line}\n".encode(errors="backslashreplace"))


def _write_all(descriptor: int, data: bytes) -> None:
    with suppress(OSError):
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:  # somebody who has the same terminal made it non-blocking
                ready = select.poll()
                ready.register(descriptor, select.POLLOUT)
                ready.poll()
