"""Per-connection counters, the counterpart of `shared.sequences`, which all workers share."""

from typing import TypeVar

K = TypeVar("K")


def take(counts: dict[K, int], key: K, most: int) -> int | None:
    """Return the next number of this counter, from 0; None once `most` numbers are given out (0: never)."""
    number = counts.get(key, 0)
    if most and number >= most:
        return None
    counts[key] = number + 1
    return number
