"""Errors in templates and in their results."""

from collections.abc import Iterable
from typing import Final

MOST: Final = 1 << 20  # max. bytes of one rendering: a variable set to itself twice would otherwise double forever


class TemplateError(ValueError):
    """The text is not a valid template: what is wrong, and where, as an offset into the text from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"at {position}: {message}")
        self.message = message
        self.position = position


class TooLong(Exception):
    """A rendering would exceed `MOST` bytes."""


def quoted(word: str) -> str:
    """Quote the word, shortened if it is long."""
    return repr(word if len(word) <= 64 else word[:64] + "…")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?`, or an empty string if no word is similar."""
    import difflib  # noqa: PLC0415 - needed for errors only: a worker does without

    close = difflib.get_close_matches(word.lower()[:64], list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
