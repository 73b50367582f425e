"""Functions for parts of bytes, and for changes of them."""

from collections.abc import Callable
from typing import Final

from answerback.core.expressions.errors import EvaluationError, bounded

_LINE_WITH_DOT: Final = b"\n."


def upper(data: bytes) -> bytes:
    """ASCII letters in upper case."""
    bounded(len(data))
    return data.upper()


def lower(data: bytes) -> bytes:
    """ASCII letters in lower case."""
    bounded(len(data))
    return data.lower()


def strip(data: bytes) -> bytes:
    """Without ASCII white space at both ends."""
    return data.strip()


def splitting(separator: bytes) -> Callable[[bytes, int], bytes]:
    """Return the function that takes one part of bytes between separators; a negative index counts from the end."""

    def split(data: bytes, at: int) -> bytes:
        try:
            if 0 <= at <= len(data):
                return data.split(separator, at + 1)[at]
            return data.split(separator)[at]
        except IndexError:
            raise EvaluationError(f"split: there is no part {at}: there are {data.count(separator) + 1}") from None

    return split


def find(data: bytes, part: bytes) -> int:
    """Where the bytes first occur, from 0; -1 if they do not."""
    return data.find(part)


def replace(data: bytes, old: bytes, new: bytes) -> bytes:
    """With all occurrences of some bytes replaced."""
    bounded(len(data) + data.count(old) * (len(new) - len(old)))
    return data.replace(old, new)


def reverse(data: bytes) -> bytes:
    """The last byte first."""
    bounded(len(data))
    return data[::-1]


def repeat(data: bytes, times: int) -> bytes:
    """The bytes this number of times."""
    if times < 0:
        raise EvaluationError(f"repeat: {times} times is negative")
    bounded(len(data) * times)
    return data * times if data else b""  # Python fails for 2^63 times and more


def dot_stuff(data: bytes) -> bytes:
    """A dot more before each line that begins with one (RFC 5321, section 4.5.2)."""
    begins = data.startswith(b".")
    bounded(len(data) + begins + data.count(_LINE_WITH_DOT))
    stuffed = data.replace(_LINE_WITH_DOT, b"\n..")
    return b"." + stuffed if begins else stuffed
