"""The time of day."""

from typing import Final

from answerback.core.expressions import Reads, Type
from answerback.core.expressions.clock import DIRECTIVES, UnknownDirective
from answerback.core.expressions.functions import time
from answerback.language.expressions.functions.base import Function, Parameter, Prepared, register, text_of

WORDS: Final = {
    "Y": ("the year", "2025"),
    "y": ("the year without its century", "25"),
    "m": ("the month", "01"),
    "d": ("the day", "02"),
    "e": ("the day, with a space before a single digit", " 2"),
    "H": ("the hour", "03"),
    "I": ("the hour, from 01 to 12", "03"),
    "p": ("`AM` or `PM`", "AM"),
    "M": ("the minute", "04"),
    "S": ("the second", "05"),
    "f": ("the microsecond", "067890"),
    "s": ("seconds since 1970", "1735787045"),
    "j": ("the day of the year", "002"),
    "a": ("the weekday, short", "Thu"),
    "A": ("the weekday", "Thursday"),
    "b": ("the month, short", "Jan"),
    "B": ("the month, in full", "January"),
    "u": ("the weekday, Monday being 1", "4"),
    "w": ("the weekday, Sunday being 0", "4"),
    "U": ("the week of the year, starting on Sunday", "00"),
    "W": ("the week of the year, starting on Monday", "00"),
    "V": ("the week of ISO 8601", "01"),
    "G": ("the year of the week of ISO 8601", "2025"),
    "F": ("`%Y-%m-%d`", "2025-01-02"),
    "T": ("`%H:%M:%S`", "03:04:05"),
    "R": ("`%H:%M`", "03:04"),
    "D": ("`%m/%d/%y`", "01/02/25"),
    "z": ("`+0000`", "+0000"),
    "Z": ("`UTC`", "UTC"),
    "%": ("a percent sign", "%"),
}
"""The meaning of each directive of a format, and its result for the time on the reference page."""


def _formatting(form: bytes) -> Prepared:
    try:
        return Prepared(time.formatting(text_of(form)))
    except UnknownDirective as problem:
        known = " ".join(sorted(DIRECTIVES, key=lambda name: (name.lower(), name)))
        raise ValueError(f"unknown directive {problem.directive}; known: {known}") from None


register(
    Function(
        "now",
        (Parameter("format", Type.BYTES, literal=True),),
        Type.BYTES,
        "the time of day, UTC, in a [format](#time)",
        "now('%Y-%m-%dT%H:%M:%SZ')",
        "2025-01-02T03:04:05Z",
        prepare=_formatting,
        reads=Reads.CLOCK,
    ),
    Function("unix", (), Type.INT, "seconds since 1970", "unix()", "1735787045", time.unix, reads=Reads.CLOCK),
)
