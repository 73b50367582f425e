"""Functions between ints and bytes."""

from answerback.core.expressions import Type
from answerback.core.expressions.functions import numbers
from answerback.language.expressions.functions.base import (
    Function,
    N,
    Parameter,
    Prepared,
    X,
    register,
    taking_bytes,
    taking_int,
)


def _reading(base: int | None) -> Prepared:
    if base not in {None, 10, 16}:
        raise ValueError(f"a base is 10 or 16, not {base}")
    return Prepared(numbers.hexadecimal if base == 16 else numbers.decimal)


register(
    taking_bytes("len", len, "the number of bytes", "len(request)", "10", result=Type.INT, cost=0),
    taking_int("str", numbers.digits, "the decimal digits of a number", "'<' + str(len(request)) + '>'", "<10>"),
    Function(
        "int",
        (X, Parameter("base", Type.INT, literal=True, optional=True)),
        Type.INT,
        "the number that 1 to 20 decimal digits mean, with or without a `-`; with base 16, 1 to 16 hexadecimal digits",
        "int(size) + int('ff', 16)",
        "297",
        prepare=_reading,
    ),
    taking_bytes(
        "be",
        numbers.big_endian,
        "the number in up to 8 bytes, the high one first",
        "be(request[0:2])",
        "21317",
        result=Type.INT,
    ),
    taking_bytes(
        "le",
        numbers.little_endian,
        "the number in up to 8 bytes, the low one first",
        "le(request[0:2])",
        "17747",
        result=Type.INT,
    ),
    taking_int("u8", numbers.packing("u8", ">B"), "a number in one byte", "u8(len(request))", r"\x0a"),
    taking_int("u16be", numbers.packing("u16be", ">H"), "in two bytes, the high one first", "u16be(258)", r"\x01\x02"),
    taking_int("u16le", numbers.packing("u16le", "<H"), "in two bytes, the low one first", "u16le(258)", r"\x02\x01"),
    taking_int(
        "u24be",
        numbers.three_bytes("u24be", little=False),
        "in three bytes, the high one first",
        "u24be(258)",
        r"\x00\x01\x02",
    ),
    taking_int(
        "u24le",
        numbers.three_bytes("u24le", little=True),
        "in three bytes, the low one first",
        "u24le(258)",
        r"\x02\x01\x00",
    ),
    taking_int(
        "u32be", numbers.packing("u32be", ">I"), "in four bytes, the high one first", "u32be(7)", r"\x00\x00\x00\x07"
    ),
    taking_int(
        "u32le", numbers.packing("u32le", "<I"), "in four bytes, the low one first", "u32le(7)", r"\x07\x00\x00\x00"
    ),
    taking_int(
        "u64be",
        numbers.packing("u64be", ">Q"),
        "in eight bytes, the high one first",
        "u64be(0x2a)",
        r"\x00\x00\x00\x00\x00\x00\x00\x2a",
    ),
    taking_int(
        "u64le",
        numbers.packing("u64le", "<Q"),
        "in eight bytes, the low one first",
        "u64le(0x2a)",
        r"\x2a\x00\x00\x00\x00\x00\x00\x00",
    ),
    taking_int(
        "varint",
        numbers.varint,
        "a number in as few bytes as it needs, seven bits each, the low ones first, as in MQTT and protobuf",
        "varint(300)",
        r"\xac\x02",
    ),
    taking_int(
        "ber_length",
        numbers.ber_length,
        "a length as BER has it (LDAP, SNMP): one byte up to 127, else the number of bytes that follow",
        "ber_length(300)",
        r"\x82\x01\x2c",
    ),
    Function(
        "pad",
        (N, Parameter("width", Type.INT)),
        Type.BYTES,
        "the decimal digits of a number, with zeros before them up to the width",
        "pad(42, 5)",
        "00042",
        numbers.pad,
    ),
    Function(
        "min",
        (N, Parameter("m", Type.INT)),
        Type.INT,
        "the smallest number",
        "min(3, int(size), 7)",
        "3",
        min,
        repeated=True,
    ),
    Function(
        "max",
        (N, Parameter("m", Type.INT)),
        Type.INT,
        "the greatest number",
        "max(3, int(size), 7)",
        "42",
        max,
        repeated=True,
    ),
)
