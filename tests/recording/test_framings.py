"""Which framing is proposed for what clients sent, and how sure that is."""

import struct

import pytest

from answerback.recording.framings import proposal
from tests.recording.talking import FIN, Said, c, s, stream


def turns(*requests: bytes) -> list[Said]:
    """Each request is answered; then the client leaves."""
    return [each for request in requests for each in (*c(request), *s(b"ok"))] + c(FIN)


def prefixed(form: str, *bodies: bytes, plus: int = 0, head: bytes = b"") -> list[bytes]:
    return [head + struct.pack(form, len(body) + plus) + body for body in bodies]


BODIES = b"\x00\x01", b"\x02hello", b"\xff" * 300
SQL = b"Q" + struct.pack(">I", 4 + 9) + b"SELECT 1\0"
STARTUP = struct.pack(">IHH", 8 + 13, 3, 0) + b"user\0somebod\0"

FRAMINGS = {
    "line": turns(b"HELO me\r\n", b"NOOP\r\n", b"QUIT\r\n"),
    "http": turns(
        b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"GET /a HTTP/1.1\r\n\r\n"
    ),
    "resp": turns(b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", b"*1\r\n$4\r\nPING\r\n"),
    "{length_prefix: {width: 4}}": turns(*prefixed(">I", *BODIES)),
    "{length_prefix: {encoding: LITTLE_ENDIAN, width: 4}}": turns(*prefixed("<I", *BODIES)),
    "{length_prefix: {width: 4, adjust: -4}}": turns(*prefixed(">I", *BODIES, plus=4)),
    "{length_prefix: {width: 2}}": turns(*prefixed(">H", *BODIES)),
    "{length_prefix: {offset: 4, width: 2}}": turns(*prefixed(">H", *BODIES, head=b"\x80\x01\0\7")),
    "{length_prefix: {encoding: LITTLE_ENDIAN, width: 3, adjust: 1}}": turns(
        *(struct.pack("<I", len(body))[:3] + bytes([number]) + body for number, body in enumerate(BODIES, 1))
    ),
    "{length_prefix: {offset: 1, encoding: VARINT}}": turns(b"\x10\x0c\0\4MQTT\4\2\0<\0\0", b"\xc0\0", b"\x30\3\0\1a"),
    "{length_prefix: {offset: 1, encoding: BER}}": turns(b"\x30\3\2\1\1", b"\x30\x81\x80" + bytes(128), b"\x30\1\5"),
    '{length_prefix: {encoding: DECIMAL, until: ":", adjust: 1}}': turns(b"5:hello,", b"2:hi,", b"0:,"),
    '{length_prefix: {encoding: DECIMAL, until: " "}}': turns(b"5 hello", b"2 hi", b"11 hello world"),
    '{delimiter: {end: {hex: "00"}}}': turns(b"CONNECT\n\n\0", b"SEND\n\nhi\0", b"SUBSCRIBE\n\n\0"),
    "until_eof": [*c(b"whatever \xff", FIN), *s(b"ok")],
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_framing_that_fits_is_proposed(framing: str) -> None:
    found = proposal([stream(FRAMINGS[framing])])
    assert (found.framed.first, found.framed.then) == (framing, None)


@pytest.mark.parametrize("framing", [each for each in FRAMINGS if each != "until_eof"])
def test_proposal_is_sure_only_with_several_turns_and_lengths(framing: str) -> None:
    whole = stream(FRAMINGS[framing])
    assert proposal([whole]).sure
    first = stream([*FRAMINGS[framing][:2], *c(FIN)])
    assert not proposal([first]).sure


def test_first_request_may_have_a_framing_of_its_own() -> None:
    found = proposal([stream(turns(STARTUP, SQL, SQL[:1] + struct.pack(">I", 4 + 2) + b"X\0", SQL))])
    assert found.framed.first == "{length_prefix: {width: 4, adjust: -4}}"
    assert found.framed.then == "{length_prefix: {offset: 1, width: 4, adjust: -4}}"
    assert found.framed.requests == 1


def test_server_that_answers_in_the_middle_of_a_line_rules_lines_out() -> None:
    found = proposal([stream(turns(b"half", b" a line\n", b"another\n"))])
    assert found.framed.first.startswith("{idle: ")
    assert not found.sure
    assert "--framing" in found.why


def test_lines_of_a_mail_are_requests_of_which_only_the_last_is_answered() -> None:
    whole = turns(b"DATA\r\n", b"Subject: x\r\n\r\nHello\r\n.\r\n", b"QUIT\r\n")
    assert proposal([stream(whole)]).framed.first == "line"


def test_every_connection_has_to_fit() -> None:
    binary = stream(turns(*prefixed(">H", *BODIES)))
    text = stream(turns(b"HELO\r\n", b"QUIT\r\n"))
    assert proposal([binary, text]).framed.first.startswith("{idle: ")
