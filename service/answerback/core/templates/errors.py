"""What can be wrong with a template, and with what it makes."""

from collections.abc import Iterable
from typing import Final

MOST: Final = 1 << 20  # bytes of one rendering: a variable sent twice into itself would double for ever


class TemplateError(ValueError):
    """The text is no template: what is wrong, and where, as an offset into the text from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"at {position}: {message}")
        self.message = message
        self.position = position


class TooLong(Exception):
    """A rendering would have more than `MOST` bytes."""


def quoted(word: str) -> str:
    """The word in quotes, not at any length."""
    return repr(word if len(word) <= 64 else word[:64] + "…")


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing if no word is close."""
    import difflib  # noqa: PLC0415 - only those who write templates make mistakes in them: a worker does without

    close = difflib.get_close_matches(word.lower()[:64], list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
