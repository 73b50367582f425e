"""Failed evaluations, and the bounds of an evaluation."""

from typing import Final

MAX_OUTPUT: Final = 1 << 20  # bytes of a result: a variable set to itself twice would otherwise double forever
MAX_WORK: Final = 4 << 20  # bytes that the functions of one evaluation read and write
LOOP_COST: Final = 16  # a byte costs this much in a loop of Python: 60 ns, against 1 to 4 ns in C
FREE_BYTES: Final = 1024  # not counted: the 200 calls that fit into an expression are 200 KiB


class EvaluationError(Exception):
    """The expression has no value in this context; the text says why."""


class TooLongError(EvaluationError):
    """A value would exceed `MAX_OUTPUT` bytes."""

    def __init__(self) -> None:
        super().__init__(f"makes more than {MAX_OUTPUT} bytes")


class Work:
    """The budget of one evaluation."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_WORK

    def charge(self, size_bytes: int) -> None:
        """Count bytes that are read or written. Raises EvaluationError if they exceed the budget."""
        self.left -= size_bytes
        if self.left < 0:
            raise EvaluationError(f"reads and writes more than {MAX_WORK} bytes")


def bounded(size_bytes: int) -> None:
    """Check the size of a result before it is made. Raises TooLongError."""
    if size_bytes > MAX_OUTPUT:
        raise TooLongError
