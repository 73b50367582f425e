import pytest
from hypothesis import given

from answerback.core.framing import MAX_BATCH, Line
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    check_case,
    check_consumed,
    check_cutting_never_matters,
    check_linear,
    cut,
    streams,
)

LINES = [Line(keep_ending=False), Line(keep_ending=True)]
STREAMS = streams(b"\n", b"\r", b"\r\n", b"a", b"bc", b"\x00")

CASES = [
    (Line(), b"PING\r\nPONG\n", [b"PING", b"PONG"], b""),
    (Line(), b"\n\r\n\r\r\n", [b"", b"", b"\r"], b""),
    (Line(), b"a\rb\nhalf\r", [b"a\rb"], b"half\r"),
    (Line(), b"half", [], b"half"),
    (Line(), b"", [], b""),
    (Line(keep_ending=True), b"PING\r\nPONG\n\nhalf", [b"PING\r\n", b"PONG\n", b"\n"], b"half"),
]


@pytest.mark.parametrize("framing, stream, requests, left", CASES)
def test_line_framing_cuts_stream_into_requests(
    framing: Line, stream: bytes, requests: list[bytes], left: bytes
) -> None:
    check_case(framing, stream, requests, left)


@pytest.mark.parametrize("framing", LINES)
@given(stream=STREAMS, where=CUTS, kind=KINDS)
def test_line_framing_cut_anywhere_finds_same_requests(
    framing: Line, stream: bytes, where: list[int], kind: type[bytes]
) -> None:
    check_cutting_never_matters(framing, stream, where, kind)


@pytest.mark.parametrize("framing", LINES)
@given(stream=STREAMS)
def test_line_framing_agrees_with_split(framing: Line, stream: bytes) -> None:
    *lines, left = stream.split(b"\n")
    kept, taken_off = [line + b"\n" for line in lines], [line.removesuffix(b"\r") for line in lines]
    assert cut(framing, [stream]) == (kept if framing.keep_ending else taken_off, left, "")


@pytest.mark.parametrize("framing", LINES)
@given(stream=STREAMS)
def test_line_framing_consumed_is_start_of_next_request(framing: Line, stream: bytes) -> None:
    check_consumed(framing, stream)


@pytest.mark.parametrize("framing", LINES)
def test_line_framing_cuts_long_buffer_in_batches(framing: Line) -> None:
    stream = b"\n" * (3 * MAX_BATCH + 1)
    found, end = framing.split(stream, 0)
    assert (len(found), end) == (MAX_BATCH, MAX_BATCH)
    assert len(cut(framing, [stream]).requests) == len(stream)


LEAST = [
    (Line(), b"abc", 3),
    (Line(), b"abc\r", 3),  # the CR may be half of an ending
    (Line(keep_ending=True), b"abc\r", 4),
]


@pytest.mark.parametrize("framing, buffer, least", LEAST)
def test_line_framing_gives_min_request_length(framing: Line, buffer: bytes, least: int) -> None:
    assert framing.min_length(buffer) == least


def test_long_line_takes_linear_work() -> None:
    check_linear(Line(), b"", b"a")


def test_line_framing_rest_at_eof_is_no_request() -> None:
    assert (Line().eof_completes, Line().idle_gap) == (False, float("inf"))


def test_line_framings_with_equal_options_are_equal() -> None:
    """A connection keeps its plan to its end if the framing has changed, so what is the same must not look changed."""
    assert Line() == Line(keep_ending=False) != Line(keep_ending=True)
