import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, Delimiter
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

MAIL = Delimiter(b"\r\n.\r\n")
ENDS = st.sampled_from([b"\r\n.\r\n", b"\r\n", b"aa", b"aab", b"\x00", b"abab"])
STREAMS = streams(b"\r\n.\r\n", b"\r\n", b".", b"\r", b"\n", b"a", b"b", b"\x00")

CASES = [
    (MAIL, b"one\r\ntwo\r\n.\r\nQUIT\r\n", [b"one\r\ntwo"], b"QUIT\r\n"),
    (MAIL, b"\r\n.\r\n\r\n.\r\n", [b"", b""], b""),
    (MAIL, b"..\r\n.\r", [], b"..\r\n.\r"),
    (Delimiter(b"\r\n.\r\n", keep=True), b"one\r\n.\r\ntwo", [b"one\r\n.\r\n"], b"two"),
    (Delimiter(b"\x00"), b"<a/>\x00<b/>\x00", [b"<a/>", b"<b/>"], b""),
    (Delimiter(b"aa"), b"aaaaaba", [b"", b""], b"aba"),  # from left to right, none of them twice
    (Delimiter(b"aab"), b"aaab", [b"a"], b""),
]


@pytest.mark.parametrize("framing, stream, requests, left", CASES)
def test_delimiter_framing_cuts_stream_into_requests(
    framing: Delimiter, stream: bytes, requests: list[bytes], left: bytes
) -> None:
    check_case(framing, stream, requests, left)


@given(end=ENDS, keep=st.booleans(), stream=STREAMS, where=CUTS, kind=KINDS)
def test_delimiter_framing_cut_anywhere_finds_same_requests(
    end: bytes, keep: bool, stream: bytes, where: list[int], kind: type[bytes]
) -> None:
    check_cutting_never_matters(Delimiter(end, keep), stream, where, kind)


@given(end=ENDS, keep=st.booleans(), stream=STREAMS)
def test_delimiter_framing_agrees_with_plain_model(end: bytes, keep: bool, stream: bytes) -> None:
    requests, heard = [], b""
    for at in range(len(stream)):
        heard += stream[at : at + 1]
        if heard.endswith(end):
            requests.append(heard if keep else heard[: -len(end)])
            heard = b""
    assert cut(Delimiter(end, keep), [stream]) == (requests, heard, "")


@given(end=ENDS, keep=st.booleans(), stream=STREAMS)
def test_delimiter_framing_consumed_is_start_of_next_request(end: bytes, keep: bool, stream: bytes) -> None:
    check_consumed(Delimiter(end, keep), stream)


def test_delimiter_framing_cuts_long_buffer_in_batches() -> None:
    stream = b"ab" * (3 * MAX_BATCH + 1)
    found, end = Delimiter(b"ab").split(stream, 0)
    assert (len(found), end) == (MAX_BATCH, 2 * MAX_BATCH)
    assert len(cut(Delimiter(b"ab"), [stream]).requests) == 3 * MAX_BATCH + 1


LEAST = [
    (MAIL, b"", 0),
    (MAIL, b"abc", 3),
    (MAIL, b"abc\r\n.\r", 3),  # all but the last byte of an ending
    (MAIL, b"abc\r\n.\r\r\n", 7),
    (Delimiter(b"\r\n.\r\n", keep=True), b"abc\r\n", 5),
    (Delimiter(b"aab"), b"xaaaa", 3),
    (Delimiter(b"\n"), b"abc", 3),
]


@pytest.mark.parametrize("framing, buffer, least", LEAST)
def test_delimiter_framing_gives_min_request_length(framing: Delimiter, buffer: bytes, least: int) -> None:
    assert framing.min_length(buffer) == least


@pytest.mark.parametrize("more", [b"a", b"\r", b"\r\n.\r"])
def test_delimiter_framing_cuts_long_request_in_linear_work(more: bytes) -> None:
    check_linear(MAIL, b"", more)


def test_delimiter_framing_with_empty_end_is_rejected() -> None:
    with pytest.raises(ValueError, match="a delimiter has at least one byte"):
        Delimiter(b"")


def test_delimiter_framing_rest_at_eof_is_no_request() -> None:
    assert (MAIL.eof_completes, MAIL.idle_gap) == (False, float("inf"))


def test_delimiter_framings_with_equal_options_are_equal() -> None:
    assert Delimiter(b"a") == Delimiter(b"a", keep=False)
    assert Delimiter(b"a") != Delimiter(b"b")
    assert Delimiter(b"a") != Delimiter(b"a", keep=True)
