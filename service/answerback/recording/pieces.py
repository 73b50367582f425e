"""A recording: what came from clients and from the server, in the order in which it came."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto


class Kind(Enum):
    """What came."""

    DATA = auto()
    FIN = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that were read at once, or the end of one side."""

    connection: int
    """From 1, in the order in which clients connected."""
    from_client: bool
    at: float
    """Seconds, on any clock."""
    data: bytes = b""
    kind: Kind = Kind.DATA


@dataclass(slots=True)
class Recording:
    """Pieces in the order in which they came. Data beyond `max_bytes` is not kept."""

    max_bytes: int = 64 << 20
    pieces: list[Piece] = field(default_factory=list)
    size: int = 0
    full: bool = False
    """Whether something was not kept. The recording then ends with what came before."""

    def add(self, piece: Piece) -> None:
        """Keep a piece, if there is room."""
        if self.full or self.size + len(piece.data) > self.max_bytes:
            self.full = True
            return
        self.size += len(piece.data)
        self.pieces.append(piece)

    def connections(self) -> dict[int, list[Piece]]:
        """The pieces of each connection on which there were bytes."""
        return by_connection(self.pieces)


def by_connection(pieces: Iterable[Piece]) -> dict[int, list[Piece]]:
    """Pieces by connection, in its order; without connections on which no byte was sent."""
    found: dict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        found[piece.connection].append(piece)
    return {number: each for number, each in sorted(found.items()) if any(piece.data for piece in each)}


def sent_by(pieces: Sequence[Piece], *, client: bool) -> bytes:
    """All bytes of one side."""
    return b"".join(piece.data for piece in pieces if piece.from_client is client)
