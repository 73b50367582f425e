"""Functions that encode and decode bytes."""

from answerback.core.expressions.errors import LOOP_COST
from answerback.core.expressions.functions import encodings
from answerback.language.expressions.functions.base import register, taking_bytes

register(
    taking_bytes("hex", encodings.to_hex, "two lower-case hexadecimal digits for each byte", "hex(key)", "6b6579"),
    taking_bytes(
        "unhex",
        encodings.from_hex,
        "the bytes with these hexadecimal digits; white space between pairs is ignored",
        "unhex('00 2a')",
        r"\x00\x2a",
    ),
    taking_bytes("base64", encodings.to_base64, "base64 with padding", "base64(key)", "a2V5"),
    taking_bytes("unbase64", encodings.from_base64, "the bytes that base64 encodes", "unbase64('a2V5')", "key"),
    taking_bytes(
        "urlquote",
        encodings.to_percents,
        "`%XX` for every byte but ASCII letters, digits and `-._~`",
        "urlquote('a b/c')",
        "a%20b%2Fc",
        cost=LOOP_COST,
    ),
    taking_bytes(
        "urlunquote",
        encodings.from_percents,
        "the bytes that `%XX` stand for",
        "urlunquote('a%20b')",
        "a b",
        cost=LOOP_COST,
    ),
)
