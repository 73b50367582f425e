"""Failed evaluations, and the bounds of an evaluation."""

from math import inf
from typing import Final

MAX_OUTPUT: Final = 1 << 20  # bytes of a result: a variable set to itself twice would otherwise double forever
MAX_WORK: Final = 4 << 20  # bytes that the functions of one evaluation read and write
LOOP_COST: Final = 16  # a byte costs this much in a loop of Python: 60 ns, against 1 to 4 ns in C
SEARCH_WORK: Final = 256 << 10  # bytes that the conditions of one search read and write before others have a turn: 1 ms
FREE_BYTES: Final = 1024  # not counted: the 200 calls that fit into an expression are 200 KiB


class EvaluationError(Exception):
    """The expression has no value in this context; the text says why."""


class TooLongError(EvaluationError):
    """A value would exceed `MAX_OUTPUT` bytes."""

    def __init__(self) -> None:
        super().__init__(f"makes more than {MAX_OUTPUT} bytes")


class SearchTooLong(Exception):
    """The conditions of a search have used up `SEARCH_WORK`: the search has to go on in parts."""


class SearchBudget:
    """What the conditions of the search in progress may still read and write; no limit outside of a search."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left: float = inf


search_budget: Final = SearchBudget()


class Work:
    """The budget of one evaluation."""

    __slots__ = ("is_used", "left")

    def __init__(self) -> None:
        self.left = MAX_WORK
        self.is_used = False

    def charge(self, size_bytes: int) -> None:
        """Count bytes that are read or written. Raises EvaluationError if they exceed the budget, SearchTooLong."""
        self.left -= size_bytes
        if self.left < 0:
            raise EvaluationError(f"reads and writes more than {MAX_WORK} bytes")
        search_budget.left -= size_bytes
        if search_budget.left < 0:
            raise SearchTooLong


def bounded(size_bytes: int) -> None:
    """Check the size of a result before it is made. Raises TooLongError."""
    if size_bytes > MAX_OUTPUT:
        raise TooLongError
