"""What each client sent, and where in it the server began to answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from answerback.recording.pieces import Kind, Piece


@dataclass(slots=True)
class Stream:
    """The bytes of one client."""

    data: bytes = b""
    turns: list[int] = field(default_factory=list)
    """How many of them had been sent each time that the server began to answer; 0 if it spoke first."""
    gaps: list[int] = field(default_factory=list)
    """How many of them had been sent when the client was silent for `SILENT_SECONDS`."""
    finished: bool = False
    """Whether the client closed its half."""
    answered_after_end: bool = False
    """Whether the server answered after that."""
    cut: bool = False
    """Whether the recording ended in the middle, or one side reset the connection."""

    def behind(self, size: int) -> "Stream":
        """The same without the first bytes."""
        return Stream(
            self.data[size:],
            [turn - size for turn in self.turns if turn > size],
            [gap - size for gap in self.gaps if gap > size],
            self.finished,
            self.answered_after_end,
            self.cut,
        )


SILENT_SECONDS = 0.02
"""A longer silence ends a request, if nothing else can."""


def stream_of(pieces: Sequence[Piece]) -> Stream:
    """The client's side of one connection."""
    data = bytearray()
    stream = Stream()
    client_is_next = True
    for piece in pieces:
        if piece.from_client:
            client_is_next = True
            data += piece.data
            stream.finished |= piece.kind is Kind.FIN
        elif piece.data and client_is_next:
            stream.turns.append(len(data))
            stream.answered_after_end |= stream.finished
            client_is_next = False
    stream.data = bytes(data)
    stream.cut = any(piece.kind is Kind.RESET for piece in pieces) or not any(
        piece.kind is Kind.FIN and piece.from_client for piece in pieces
    )
    stream.gaps = _gaps([piece for piece in pieces if piece.from_client])
    return stream


def _gaps(pieces: Sequence[Piece]) -> list[int]:
    sent, found = 0, []
    for piece, later in pairwise(pieces):
        sent += len(piece.data)
        if later.at - piece.at >= SILENT_SECONDS:
            found.append(sent)
    return found
