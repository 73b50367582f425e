"""Writing to a stream that may not be read."""

import io
import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from answerback.logs.writing import Writer


def nothing_due() -> tuple[list[str], None]:
    return [], None


def dropped(count: int) -> str:
    return f"{count} dropped"


def test_lines_are_written_in_order() -> None:
    stream = io.StringIO()
    writer = Writer(stream, nothing_due, dropped)
    for number in range(100):
        writer.put(f"{number}")
    writer.close(10)
    assert stream.getvalue().split() == [str(number) for number in range(100)]


def test_log_writer_without_lines_starts_no_thread() -> None:
    before = threading.active_count()
    writer = Writer(io.StringIO(), nothing_due, dropped)
    writer.flush(10)
    writer.close(10)
    assert threading.active_count() == before


def test_log_writer_writes_due_summary_without_a_new_line() -> None:
    written = threading.Event()
    due = [(["later"], None), ([], 0.01)]

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if text == "later\n":
                written.set()
            return super().write(text)

    writer = Writer(Stream(), lambda: due.pop() if due else ([], None), dropped)
    writer.put("first")
    assert written.wait(10)
    writer.close(10)


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, TextIO]]:
    """What is read and what is written."""
    ours, theirs = os.pipe()
    with os.fdopen(ours) as reader, os.fdopen(theirs, "w") as stream:
        yield reader, stream


class Stuck(io.StringIO):
    """No program reads it until the test does."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.is_read = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.is_read.wait(10)
        return super().write(text)


def test_dropped_lines_are_counted_at_their_place() -> None:
    stream = Stuck()
    writer = Writer(stream, nothing_due, dropped, queued=10_000)
    writer.put("first")
    assert stream.reached.wait(10)
    for number in range(2_000):
        writer.put(f"{number:0100}")
    stream.is_read.set()
    writer.flush(10)
    writer.put("last")
    writer.close(10)
    lines = stream.getvalue().splitlines()
    assert [int(line) for line in lines[1:101]] == list(range(100))
    assert (lines[0], lines[101:]) == ("first", ["1900 dropped", "last"])


def test_writer_waits_for_a_non_blocking_stream(pipe: tuple[TextIO, TextIO]) -> None:
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    writer = Writer(stream, nothing_due, dropped)
    for number in range(3_000):
        writer.put(f"{number:099}")
    assert [int(reader.readline()) for _ in range(3_000)] == list(range(3_000))
    writer.close(10)


def test_writer_to_a_broken_pipe_raises_nothing(pipe: tuple[TextIO, TextIO]) -> None:
    reader, stream = pipe
    reader.close()
    writer = Writer(stream, nothing_due, dropped)
    writer.put("to nobody")
    writer.put("to nobody either")
    writer.close(10)
