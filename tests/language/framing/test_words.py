"""Descriptions of framings in words."""

import pytest

from answerback.core import framing as core
from answerback.core.framing import Framing
from answerback.language.framing import describe, objection, waits_for

WORDS: list[tuple[Framing, str, bytes, str]] = [
    (core.Read(8), "read, at most 8 bytes", b"", "the request is incomplete"),
    (core.Line(), "line", b"PIN", "the line has not ended with LF"),
    (core.Delimiter(b"\r\n.\r\n"), r'delimiter "\r\n.\r\n"', b"a\r\n", r'"\r\n.\r\n" has not arrived'),
    (core.Pattern(r"10=\d{3}\x01"), r"pattern 10=\d{3}\x01", b"8=FIX", r"10=\d{3}\x01 does not match yet"),
    (core.Fixed(4), "fixed, 4 bytes", b"abc", "at least 1 more byte"),
    (core.LengthPrefix(0, 2), "length_prefix", b"\0\5ab", "at least 3 more bytes"),
    (core.LengthPrefix(0, 2, strip=True), "length_prefix", b"\0\5ab", "at least 3 more bytes"),
    (core.LengthPrefix(encoding=core.Encoding.VARINT), "length_prefix, VARINT", b"\x80", "at least 1 more byte"),
    (core.LengthPrefix(encoding=core.Encoding.BER, strip=True), "length_prefix, BER", b"\x82", "at least 2 more bytes"),
    (
        core.LengthPrefix(encoding=core.Encoding.DECIMAL, until=b":", strip=True),
        "length_prefix, DECIMAL",
        b"12",
        "at least 1 more byte",
    ),
    (core.Idle(0.05), "idle, 0.05 s", b"a", "the request is incomplete"),
    (core.UntilEof(), "until_eof", b"a", "the request ends when the peer closes its half"),
    (core.Http(head_first=True), "http, head first", b"GET / HT", "the head has not ended with an empty line"),
    (core.Http(), "http", b"GET / HT", "the head has not ended with an empty line"),
    (core.Http(), "http", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", "at least 3 more bytes"),
    (core.DotStuffed(), "dot_stuffed", b"a\n.", 'the line "." has not arrived'),
    (core.WebSocket(), "websocket", b"\x81\x85", "at least 9 more bytes"),
    (core.Resp(), "resp", b"*1\r\n$4\r\nPI", "at least 4 more bytes"),
    (core.HttpReplies(), "http", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", "at least 1 more byte"),
    (core.RespReplies(), "resp", b"*1\r\n$4\r\nPO", "at least 4 more bytes"),
]


@pytest.mark.parametrize("framing, name, half_heard, waits", WORDS)
def test_framing_is_described_in_words(framing: Framing, name: str, half_heard: bytes, waits: str) -> None:
    assert describe(framing) == name
    assert waits_for(framing, framing.new_framer(), half_heard) == waits
    assert objection(framing, half_heard) == ""


def test_framing_words_name_every_framing() -> None:
    kinds = {kind for kind in vars(core).values() if isinstance(kind, type) and hasattr(kind, "split")} - {Framing}
    assert {type(framing) for framing, *_ in WORDS} == kinds


def test_framing_of_an_empty_body_is_described_as_fixed() -> None:
    assert describe(None) == "fixed, 0 bytes"


def test_objection_to_malformed_data_states_the_reason() -> None:
    assert objection(core.Resp(), b"*1\r\n$x\r\n") == 'the length of a bulk string is not a number: "x"'
