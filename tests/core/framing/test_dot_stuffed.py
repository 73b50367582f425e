import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, DotStuffed, dot_stuffed
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    Outcome,
    ScannedByRe,
    check_case,
    check_consumed,
    check_cutting_never_matters,
    check_linear,
    cut,
    streams,
)

BODY, KEPT = DotStuffed(), DotStuffed(keep=True)

CASES = [
    (BODY, b"Subject: hi\r\n\r\nbody\r\n.\r\nQUIT", [b"Subject: hi\r\n\r\nbody\r\n"], b"QUIT"),
    (BODY, b".\r\n.\nQUIT", [b"", b""], b"QUIT"),
    (BODY, b"\r\n.\r\n", [b"\r\n"], b""),
    (BODY, b"a\n.\n", [b"a\n"], b""),
    (BODY, b"..\r\n.x\r\nx.\r\n.\r\n", [b".\r\nx\r\nx.\r\n"], b""),
    (BODY, b"...\n..\n\n.\n", [b"..\n.\n\n"], b""),
    (BODY, b".\r.\n.\n", [b"\r.\n"], b""),
    (BODY, b".\rx\n.\n", [b"\rx\n"], b""),
    (BODY, b"a.\r\n. \r\n", [], b"a.\r\n. \r\n"),
    (BODY, b"a\n.\r\r\n", [], b"a\n.\r\r\n"),
    (BODY, b"a\r\n.", [], b"a\r\n."),
    (BODY, b"a\r\n.\r", [], b"a\r\n.\r"),
    (BODY, b".", [], b"."),
    (BODY, b".\r", [], b".\r"),
    (KEPT, b"..\r\n.x\r\n.\r\n.\n", [b"..\r\n.x\r\n", b""], b""),
    (KEPT, b".\r.\n.\n", [b".\r.\n"], b""),
]


@pytest.mark.parametrize("framing, stream, requests, left", CASES)
def test_dot_stuffed_framing_ends_a_request_at_a_line_that_is_a_dot(
    framing: DotStuffed, stream: bytes, requests: list[bytes], left: bytes
) -> None:
    for kind in (bytes, bytearray):
        assert cut(framing, [stream], kind) == Outcome(requests, left)
    if not left.endswith((b".", b".\r")):  # what trails would be part of that line
        check_case(framing, stream, requests, left)


FRAMINGS = st.sampled_from([BODY, KEPT])
STREAMS = streams(b".", b"\n", b"\r\n", b"\r", b"a", b"\n.\r\n", b"..\r\n", most=60)


@given(framing=FRAMINGS, stream=STREAMS, where=CUTS, kind=KINDS)
def test_dot_stuffed_framing_cut_anywhere_finds_same_requests(
    framing: DotStuffed, stream: bytes, where: list[int], kind: type[bytes]
) -> None:
    check_cutting_never_matters(framing, stream, where, kind)


def plainly(framing: DotStuffed, stream: bytes) -> Outcome:
    """The same in another way: line by line."""
    requests: list[bytes] = []
    lines: list[bytes] = []
    begin = 0
    for line in re.finditer(rb"[^\n]*\n", stream):
        if line[0] in {b".\n", b".\r\n"}:
            requests.append(b"".join(lines))
            lines, begin = [], line.end()
        else:
            lines.append(line[0][1:] if line[0].startswith(b".") and not framing.keep else line[0])
    return Outcome(requests, stream[begin:])


@given(framing=FRAMINGS, stream=STREAMS)
def test_dot_stuffed_framing_agrees_with_plain_model(framing: DotStuffed, stream: bytes) -> None:
    assert cut(framing, [stream]) == plainly(framing, stream)


@given(framing=FRAMINGS, stream=STREAMS)
def test_dot_stuffed_framing_consumed_is_start_of_next_request(framing: DotStuffed, stream: bytes) -> None:
    check_consumed(framing, stream)
    check_consumed(framing.new_framer(), stream)


def test_dot_stuffed_framing_cuts_long_buffer_in_batches() -> None:
    found, end = BODY.split(b"a\n.\n" * (2 * MAX_BATCH), 0)
    assert (len(found), end) == (MAX_BATCH, 4 * MAX_BATCH)


LEAST = [
    (BODY, b"", 0),
    (BODY, b".", 0),
    (BODY, b".\r", 0),
    (BODY, b"..", 1),
    (BODY, b".a", 1),
    (BODY, b"a\n", 2),
    (BODY, b"a\n.", 2),
    (BODY, b"a\n.\r", 2),
    (BODY, b"a\n.b\n..", 5),
    (BODY, b"a\n.\rb", 4),
    (KEPT, b".", 0),
    (KEPT, b"a\n.", 2),
    (KEPT, b"a\n.\r", 2),
    (KEPT, b"a\n.b", 4),
]


@pytest.mark.parametrize("framing, buffer, least", LEAST)
def test_dot_stuffed_framing_gives_min_request_length(framing: DotStuffed, buffer: bytes, least: int) -> None:
    begun = framing.new_framer()
    assert framing.min_length(buffer) == begun.min_length(buffer) == least
    for size in range(len(buffer) + 1):  # as it arrives byte by byte
        begun.split(buffer[:size], max(0, size - 1))
    assert begun.min_length(buffer) == least


@pytest.mark.parametrize("more", [b"a", b".", b"\n", b"\r", b"..\n", b"\n.\rx"])
@pytest.mark.parametrize("framing", [BODY, KEPT])
def test_dot_stuffed_framing_cuts_long_request_in_linear_work(
    framing: DotStuffed, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dot_stuffed, "FINAL_LINE", ScannedByRe(dot_stuffed.FINAL_LINE))
    check_linear(framing, b"a", more)


def test_dot_stuffed_framing_rest_at_eof_is_no_request() -> None:
    assert (BODY.eof_completes, BODY.idle_gap) == (False, float("inf"))


def test_dot_stuffed_framings_with_equal_options_are_equal() -> None:
    assert DotStuffed(keep=False) == BODY
    assert BODY != KEPT
