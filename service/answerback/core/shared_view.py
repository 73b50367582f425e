"""The variables that all connections of all workers share, as one event sees them."""

import re
from typing import Final, Protocol

from answerback.core.expressions.errors import EvaluationError
from answerback.core.expressions.values import LARGEST, SMALLEST

# Rule: all reads of one event see one moment, and the event's own writes since.


_NUMBER: Final = re.compile(rb"-?[0-9]{1,20}")
_FEW_DIGITS: Final = 18  # of most counters: to look for digits alone takes a tenth of the time


class SharedWriteFailed(EvaluationError):
    """A shared variable could not be changed: a bound was reached, or the machine has no memory left."""


class SharedView(Protocol):
    """The shared variables of one moment."""

    def get(self, key: bytes, /) -> bytes | None:
        """The value; None if there is none."""

    def put(self, key: bytes, value: bytes, /) -> None:
        """Store a value. Raises SharedWriteFailed."""

    def delete(self, key: bytes, /) -> None:
        """Remove a variable, if it is there. Raises SharedWriteFailed."""

    def add(self, key: bytes, by: int, /) -> bytes:
        """Add to the newest number in a variable, of which an absent one is 0; return the digits of the sum.

        Raises EvaluationError if it is not a number or the sum is out of range, SharedWriteFailed for a bound.
        """


def total_of(former: bytes | None, by: int) -> int:
    """Add to the number in a variable, of which an absent one is 0.

    Raises EvaluationError if it is not a number or the sum is out of range.
    """
    few = former is not None and len(former) <= _FEW_DIGITS and former.isdigit()
    if former is not None and not few and not _NUMBER.fullmatch(former):
        raise EvaluationError("the value of the shared variable is not a number")
    total = by if former is None else int(former) + by
    if not SMALLEST <= total <= LARGEST:
        raise EvaluationError(f"{total} is out of range")
    return total
