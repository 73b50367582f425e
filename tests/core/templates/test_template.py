import tracemalloc

import pytest

from answerback.core import templates
from answerback.core.templates import MOST, TooLong
from tests.core.turns import Groups, MadeUp, matched


@pytest.mark.parametrize(
    "text, constant",
    [
        ("", b""),
        ("100%d %b", b"100%d %b"),
        ("$$${len:hex:00 01}$$", b"$2$"),
        ("${0x2a}é", "42é".encode()),
        ("${u16be:7}${tohex:u8:255}", b"\x00\x07ff"),
        ("${request}", None),
        ("${uuid}", None),
        ("a${now:%%}", None),
    ],
)
def test_template_without_turn_values_has_a_constant(text: str, constant: bytes | None) -> None:
    template = templates.compile(text)
    assert template.constant == constant
    if constant is not None:
        assert template.render(MadeUp()) == constant


def test_percent_signs_are_rendered_unchanged() -> None:
    assert templates.compile("%b %d%%${request}%").render(MadeUp(b"%b%d")) == b"%b %d%%%b%d%"
    assert templates.compile("%${request}%${len:request}%").render(MadeUp(b"%b%d")) == b"%%b%d%4%"


@pytest.mark.parametrize("count", [1, 2, 8, 9, 40])
def test_rendering_beyond_the_maximum_is_rejected(count: int) -> None:
    template = templates.compile("${request}" * count + "!")
    most = (MOST - 1) // count
    assert template.render(MadeUp(b"x" * most)) == b"x" * most * count + b"!"
    with pytest.raises(TooLong):
        template.render(MadeUp(b"x" * (most + 1)))


@pytest.mark.parametrize("count", [9, 10_000])
def test_template_too_long_raises_before_allocating_it(count: int) -> None:
    template = templates.compile("${request}" * count)
    turn = MadeUp(b"x" * MOST)
    tracemalloc.start()
    try:
        with pytest.raises(TooLong):
            template.render(turn)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("parts", [1, 2, 3, 8, 9, 20])
def test_template_renders_any_number_of_placeholders(parts: int) -> None:
    template = templates.compile("".join(f"{index}:${{request}}/${{len:request}};" for index in range(parts)))
    assert template.render(MadeUp(b"ab")) == b"".join(b"%d:ab/2;" % index for index in range(parts))


@pytest.mark.parametrize(
    "text, number",
    [
        ("5", 5),
        ("0005", 5),
        ("0", 0),
        ("", None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1.0", None),
        ("٣", None),
        ("${1}", 42),
        ("${1}0", 420),
        ("${2}", None),
        ("${size}", 42),
        ("${vars.none}", None),
        ("${len:request}", 4),
        ("${len:request}${len:request}", 44),
        ("${0x2a}", 42),
        ("${u8:5}", 5),
        ("${u16be:request[0:2]}", 0x4142),
        ("${u16le:request[0:2]}", 0x4241),
        ("${or:request[0],0x80}", 0xC1),
        ("${xor:1,1}", 0),
        ("${pad3:7}", 7),
        ("${tohex:u8:0x12}", 12),
        ("${hex:05}", None),
        ("9" * 19, 10**19 - 1),
        ("0" * 50 + "7", 7),
        ("9" * 20, None),
        ("9" * 10_000, None),
    ],
)
def test_template_number_is_its_decimal_value_or_none(text: str, number: int | None) -> None:
    turn = MadeUp(b"ABCD", Groups({1: b"42", 2: b"4x", b"size": b"42"}))
    assert templates.compile(text, ["size"], 2).number(turn) == number


@pytest.mark.parametrize(
    "text, pattern, request_, makes",
    [
        # As conversations in this language have them: Redis, SMTP, HTTP, Modbus, a batch.
        ("$$${len:what}\r\n${what}\r\n", "(?i)^ECHO (?P<what>.*)$", b"ECHO hi there", b"$8\r\nhi there\r\n"),
        ("-ERR unknown command '${request}'\r\n", "", b"FLUSHALL", b"-ERR unknown command 'FLUSHALL'\r\n"),
        (
            "250-mail.test greets ${1}\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n",
            r"(?i)^EHLO (\S+)",
            b"EHLO client.test",
            b"250-mail.test greets client.test\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n",
        ),
        ("250 queued ${len:request} bytes\r\n", "", b"Subject: hi\r\n\r\nQUIT\r\nbody", b"250 queued 25 bytes\r\n"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: ${len:body}\r\n\r\n${body}",
            "(?s)^POST .*?\r\n\r\n(?P<body>.*)$",
            b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
        ),
        (
            "${request[0:4]}${u16be:7}${request[6:8]}${hex:04 00 2a 00 2b}",
            "",
            bytes.fromhex("000100000006010300000002"),
            bytes.fromhex("00010000000701030400 2a002b"),
        ),
        (
            "${request[0:4]}${u16be:3}${request[6]}${or:request[7],0x80}${hex:01}",
            "",
            bytes.fromhex("000300000006012b0e010000"),
            bytes.fromhex("00030000000301ab01"),
        ),
        ("${now:%Y-%m-%dT%H:%M:%SZ}\r\n", "", b"", b"2025-01-02T03:04:05Z\r\n"),
        ("got ${len:request}\n", "", b"one two", b"got 7\n"),
    ],
)
def test_template_renders_protocol_replies(text: str, pattern: str, request_: bytes, makes: bytes) -> None:
    template = templates.compile(text, ["what", "body"], pattern.count("("))
    assert template.render(matched(pattern, request_)) == makes
