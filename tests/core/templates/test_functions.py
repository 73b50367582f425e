import zlib

import pytest

from answerback.core import templates
from answerback.core.templates import MOST, TooLong
from answerback.core.templates.functions import FUNCTIONS
from tests.core.turns import MadeUp

DATA = b"Ab\xe4\x00\xff"

MAKES = {
    "len:request": b"5",
    "crc32:request": b"%d" % zlib.crc32(DATA),
    "sum8:request": b"%d" % ((0x41 + 0x62 + 0xE4 + 0xFF) % 256),
    "tohex:request": b"4162e400ff",
    "upper:request": b"AB\xe4\x00\xff",
    "lower:request": b"ab\xe4\x00\xff",
    "u8:request": b"\xff",
    "u16be:request": b"\x00\xff",
    "u16le:request": b"\xff\x00",
    "u32be:request": b"b\xe4\x00\xff",
    "u32le:request": b"\xff\x00\xe4b",
    "u64be:request": b"\x00\x00\x00Ab\xe4\x00\xff",
    "u64le:request": b"\xff\x00\xe4bA\x00\x00\x00",
    "or:request[0],0x82": b"\xc3",
    "xor:request[0],0xff": b"\xbe",
    "pad3:len:request": b"005",
}


def test_each_template_function_has_an_example() -> None:
    named = {name.partition(":")[0] for name in MAKES}
    assert named == {name for name in FUNCTIONS if not name.startswith("pad")} | {"pad3"}


@pytest.mark.parametrize("call, makes", MAKES.items())
def test_template_function_renders_its_result(call: str, makes: bytes) -> None:
    assert templates.compile("${" + call + "}").render(MadeUp(DATA)) == makes


@pytest.mark.parametrize("call, makes", MAKES.items())
def test_template_function_of_constant_is_computed_when_compiled(call: str, makes: bytes) -> None:
    literal = call.replace("request[0]", "hex:41").replace("request", "hex:" + DATA.hex())
    assert templates.compile("${" + literal + "}").constant == makes


def test_crc32_has_the_standard_check_value() -> None:
    assert templates.compile("${tohex:u32be:crc32:request}").render(MadeUp(b"123456789")) == b"cbf43926"


@pytest.mark.parametrize(
    "call, makes",
    [
        ("u8:2", b"\x02"),  # the number, though there is a capture 2
        ("u8:0x02", b"\x02"),
        ("u16be:len:request", b"\x00\x05"),
        ("u16be:peer.port", b"\x9c\xbb"),
        ("u8:crc32:request", bytes([zlib.crc32(DATA) % 256])),
        ("u16be:request[9:]", b"\x00\x00"),
        ("or:or:request[0],0x80,0x02", b"\xc3"),
        ("or:0x01,u16be:0x0102", b"\x03"),
        ("u16be:u16le:request[0:2]", b"bA"),
        ("pad3:1234", b"1234"),
        ("pad1:request[0]", b"65"),
        ("pad64:0", b"0" * 64),
        ("len:0x10", b"2"),
        ("len:2", b"0"),  # the capture
        ("u64be:0xffffffffffffffff", b"\xff" * 8),
    ],
)
def test_template_function_converts_numbers_and_bytes(call: str, makes: bytes) -> None:
    assert templates.compile("${" + call + "}", (), 2).render(MadeUp(DATA)) == makes


def test_template_number_of_many_bytes_is_its_last_eight() -> None:
    assert templates.compile("${u64be:request}").render(MadeUp(b"\xff" * MOST + b"12345678")) == b"12345678"


def test_nested_hex_is_limited_before_it_is_evaluated() -> None:
    nested = templates.compile("${len:" + "tohex:" * 15 + "request}")
    assert nested.render(MadeUp(b"x" * 32)) == b"%d" % (32 << 15)
    with pytest.raises(TooLong):
        nested.render(MadeUp(b"x" * 33))
