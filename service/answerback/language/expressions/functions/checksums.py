"""Checksums, and the exclusive or of bytes."""

from answerback.core.expressions import Type
from answerback.core.expressions.errors import LOOP_COST
from answerback.core.expressions.functions import checksums
from answerback.language.expressions.functions.base import Function, Parameter, X, register, taking_bytes

register(
    taking_bytes(
        "crc16",
        checksums.crc16,
        "the CRC-16 of Modbus: polynomial 0xA001 (reflected), initial value 0xFFFF",
        "hex(u16be(crc16('123456789')))",
        "4b37",
        result=Type.INT,
        cost=LOOP_COST,
    ),
    taking_bytes(
        "crc16_ccitt",
        checksums.crc16_ccitt,
        "the CRC-16 of CCITT: polynomial 0x1021, initial value 0xFFFF",
        "hex(u16be(crc16_ccitt('123456789')))",
        "29b1",
        result=Type.INT,
    ),
    taking_bytes(
        "crc32",
        checksums.crc32,
        "the CRC-32 of Ethernet, zip and PNG",
        "hex(u32be(crc32('123456789')))",
        "cbf43926",
        result=Type.INT,
    ),
    taking_bytes(
        "sum8",
        checksums.sum8,
        "the sum of the bytes modulo 256, as in FIX",
        "pad(sum8(key), 3)",
        "073",
        result=Type.INT,
        cost=LOOP_COST,
    ),
    taking_bytes(
        "xor8",
        checksums.xor8,
        "the exclusive or of the bytes, as in NMEA 0183",
        "hex(u8(xor8(key)))",
        "77",
        result=Type.INT,
        cost=LOOP_COST,
    ),
    taking_bytes(
        "lrc",
        checksums.lrc,
        "the two's complement of the sum of the bytes, as in Modbus ASCII",
        "hex(u8(lrc(key)))",
        "b7",
        result=Type.INT,
        cost=LOOP_COST,
    ),
    Function(
        "xor",
        (X, Parameter("key", Type.BYTES)),
        Type.BYTES,
        "the exclusive or with a key, which is repeated; fails if the key is empty",
        r"hex(xor('abc', b'\xff\x00'))",
        "9e629c",
        checksums.xor,
    ),
)
