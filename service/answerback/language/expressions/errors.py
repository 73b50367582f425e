"""Errors in the text of an expression or a template."""

from collections.abc import Iterable


class ExpressionError(ValueError):
    """The text is not a valid expression: what is wrong, and where, as a number of characters from its beginning."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"at {position}: {message}")
        self.message = message
        self.position = position


def quoted(word: str) -> str:
    """Quote the word, shortened if it is long."""
    return repr(word if len(word) <= 64 else word[:64] + "…")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?`, or an empty string if no word is similar."""
    import difflib  # noqa: PLC0415 - needed for errors only: a worker does without

    close = difflib.get_close_matches(word.lower()[:64], list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
