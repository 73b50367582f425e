"""What is held of one direction of a relay: pieces, each with the time at which it is due; and how faults cut them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from answerback.core.faults import Fault, FaultState, Hang, Reset, SlowClose


@dataclass(frozen=True, slots=True)
class End:
    """The end of the connection, in place of bytes."""

    by_reset: bool


@dataclass(frozen=True, slots=True)
class Fin:
    """The FIN that was read behind the bytes."""


FIN: Final = Fin()

Piece = tuple[float, bytes | End | Fin]
"""When something is due, and what."""


def concerns(fault: Fault, read: bytes | Fin) -> bool:
    """Whether the fault can affect what was read."""
    if isinstance(fault.effect, Reset | Hang):
        return True
    return isinstance(fault.effect, SlowClose) is isinstance(read, Fin)


def sliced(
    pieces: Iterable[Piece], size: int, variation: int, gap: float, chance: Random, free: float
) -> tuple[list[Piece], float]:
    """Pieces of `size` bytes, randomly up to `variation` more or less, with a gap behind each, none before `free`.

    Returns also when the next one may follow.
    """
    found: list[Piece] = []
    for due, piece in pieces:
        if not isinstance(piece, bytes):
            found.append((max(free, due), piece))
            continue
        at = 0
        while at < len(piece):
            end = at + (chance.randint(size - variation, size + variation) if variation else size)
            found.append((max(free, due), piece[at:end]))
            free = max(free, due) + gap
            at = end
    return found, free


def truncated(pieces: Iterable[Piece], size: int, state: FaultState, end: End) -> Iterator[Piece]:
    """The first `size` bytes since the state began, then an end."""
    for due, piece in pieces:
        if not isinstance(piece, bytes):
            yield due, piece
            return
        through = piece[: max(0, size - state.sent)]
        state.sent += len(through)
        if through:
            yield due, through
        if state.sent >= size:
            yield due, end
            return
