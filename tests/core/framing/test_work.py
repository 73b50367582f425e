"""The work for a request grows linearly with its bytes, for any bytes in any pieces."""

import re
from types import SimpleNamespace
from typing import Final

import pytest

from answerback.core.framing import (
    Delimiter,
    DotStuffed,
    Encoding,
    Fixed,
    Framing,
    Http,
    LengthPrefix,
    Line,
    Pattern,
    Resp,
    UntilEof,
    WebSocket,
    automaton,
    dot_stuffed,
    http_parsing,
)
from tests.core.framing.cutting import ScannedByRe, work

# Each with the beginning of a request, and bytes that never end it.
UNFINISHED: Final = {
    "line": (Line(), b"", b"a"),
    "line of CR": (Line(), b"", b"\r"),
    "delimiter": (Delimiter(b"\r\n.\r\n"), b"", b"a"),
    "delimiter almost": (Delimiter(b"\r\n.\r\n"), b"", b"\r\n.\r"),
    "delimiter of one byte again and again": (Delimiter(b"a" * 20 + b"b"), b"", b"a"),
    "dot_stuffed": (DotStuffed(), b"", b"a"),
    "dot_stuffed almost": (DotStuffed(), b"a", b"\n.\rx"),
    "dot_stuffed dots": (DotStuffed(), b".", b"."),
    "dot_stuffed, dots kept": (DotStuffed(keep=True), b"", b"\n..\n"),
    "fixed": (Fixed(1 << 20), b"", b"a"),
    "length_prefix": (LengthPrefix(width=4), b"\x00\x10\x00\x00", b"a"),
    "length_prefix of digits": (LengthPrefix(encoding=Encoding.DECIMAL, until=b":"), b"99999:", b"a"),
    "length_prefix, varint": (LengthPrefix(encoding=Encoding.VARINT), b"\xff\xff\x7f", b"a"),
    "length_prefix, ber": (LengthPrefix(encoding=Encoding.BER), b"\x83\xff\xff\xff", b"a"),
    "until_eof": (UntilEof(), b"", b"a"),
    "websocket": (WebSocket(), b"\x82\xff" + (99999).to_bytes(8, "big") + b"abcd", b"a"),
    "http head": (Http(), b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "http head of CR": (Http(), b"GET / HTTP/1.1", b"\na\r"),
    "http body": (Http(), b"GET / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", b"a"),
    "http chunks": (Http(), b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "http chunk extension": (Http(), b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "http trailers": (Http(), b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
    "resp array": (Resp(), b"*99999\r\n", b"$1\r\na\r\n"),
    "resp bulk string": (Resp(), b"*1\r\n$99999\r\n", b"a"),
    "resp inline": (Resp(), b"", b"a"),
    "pattern": (Pattern(r"\x0110=\d{3}\x01"), b"", b"a"),
    "pattern almost": (Pattern(r"\x0110=\d{3}\x01"), b"", b"\x0110=12"),
    "pattern without limit": (Pattern("a.*b"), b"a", b"a"),
    "pattern from a mark": (Pattern("(?s)<.*>"), b"<", b"a<"),
    "pattern with many states": (Pattern("(?s)a.{200}c"), b"", b"abbabaaab"),
    "pattern that may begin anywhere": (Pattern("(?s)(?:a?b?.){60}c"), b"", b"ab"),
}


@pytest.fixture(autouse=True)
def scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `re` goes through counts, too."""
    monkeypatch.setattr(http_parsing, "END_OF_FIELDS", ScannedByRe(http_parsing.END_OF_FIELDS))
    monkeypatch.setattr(dot_stuffed, "FINAL_LINE", ScannedByRe(dot_stuffed.FINAL_LINE))
    compiling = SimpleNamespace(compile=lambda pattern: ScannedByRe(re.compile(pattern)), Match=re.Match)
    monkeypatch.setattr(automaton, "re", compiling)
    monkeypatch.setattr(automaton, "SKIP_AFTER", 50)


@pytest.mark.parametrize("piece", [1, 7, 256])
@pytest.mark.parametrize("framing, begin, more", UNFINISHED.values(), ids=UNFINISHED)
def test_incomplete_request_takes_linear_work(framing: Framing, begin: bytes, more: bytes, piece: int) -> None:
    """It would be sixteen times if bytes that were searched without success were searched again."""
    size = 2048 // len(more)
    once = work(framing, begin + size * more, piece)
    assert work(framing, begin + 4 * size * more, piece) < 5 * once + 200


@pytest.mark.parametrize("piece", [1, 1 << 12])
@pytest.mark.parametrize("framing, begin, more", UNFINISHED.values(), ids=UNFINISHED)
def test_framing_takes_a_bounded_number_of_steps_per_byte(
    framing: Framing, begin: bytes, more: bytes, piece: int
) -> None:
    """One read of one byte takes the most: about 40 lines of Python."""
    stream = begin + (4096 // len(more)) * more
    assert work(framing, stream, piece) < 90 * len(stream)
