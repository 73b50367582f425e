"""Framings in words."""

import pytest

from answerback.core import framing as core
from answerback.core.framing import Framing
from answerback.language.framing import describe, objection, waits_for

WORDS: list[tuple[Framing, str, bytes, str]] = [
    (core.Read(8), "read, 8 bytes at most", b"", "it is not whole"),
    (core.Line(), "line", b"PIN", "a line ends with LF"),
    (core.Delimiter(b"\r\n.\r\n"), r'delimiter "\r\n.\r\n"', b"a\r\n", r'"\r\n.\r\n" does not follow'),
    (core.Pattern(r"10=\d{3}\x01"), r"pattern 10=\d{3}\x01", b"8=FIX", r"10=\d{3}\x01 does not match yet"),
    (core.Fixed(4), "fixed, 4 bytes", b"abc", "1 more byte at least"),
    (core.LengthPrefix(0, 2), "length_prefix", b"\0\5ab", "3 more bytes at least"),
    (core.LengthPrefix(0, 2, strip=True), "length_prefix", b"\0\5ab", "3 more bytes at least"),
    (core.Idle(0.05), "idle, 0.05 s", b"a", "it is not whole"),
    (core.UntilEof(), "until_eof", b"a", "it ends when the peer closes its half"),
    (core.Http(), "http", b"GET / HT", "a head ends with an empty line"),
    (core.Http(), "http", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", "3 more bytes at least"),
    (core.Resp(), "resp", b"*1\r\n$4\r\nPI", "4 more bytes at least"),
]


@pytest.mark.parametrize("framing, name, half_heard, waits", WORDS)
def test_each_framing_has_its_words(framing: Framing, name: str, half_heard: bytes, waits: str) -> None:
    assert describe(framing) == name
    assert waits_for(framing, half_heard) == waits
    assert objection(framing, half_heard) == ""


def test_framing_words_name_every_framing() -> None:
    kinds = {kind for kind in vars(core).values() if isinstance(kind, type) and hasattr(kind, "cut")} - {Framing}
    assert {type(framing) for framing, *_ in WORDS} == kinds


def test_a_body_of_no_bytes_is_one_empty_request() -> None:
    assert describe(None) == "fixed, 0 bytes"


def test_an_objection_says_why() -> None:
    assert objection(core.Resp(), b"*1\r\n$x\r\n") == "a bulk string has no length b'x'"
