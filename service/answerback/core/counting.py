"""Counts that a connection keeps for itself, as `metrics.claims` keeps those that all share."""

from typing import TypeVar

K = TypeVar("K")


def take(counts: dict[K, int], key: K, most: int) -> int | None:
    """Take the next number, from 0, of this count; None once `most` are taken (0: never)."""
    number = counts.get(key, 0)
    if most and number >= most:
        return None
    counts[key] = number + 1
    return number
