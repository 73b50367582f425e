"""Recordings of conversations that never took place."""

from collections.abc import Iterable

from answerback.recording import Kind, Piece, Recording
from answerback.recording.streams import Stream, stream_of

CLIENT, SERVER = True, False
STEP = 0.001  # seconds between two pieces
FIN: Kind = Kind.FIN
RESET: Kind = Kind.RESET

Said = tuple[bool, bytes | Kind | float]
"""Who, and bytes, an end, or seconds of silence before what follows."""


def c(*said: bytes | Kind | float) -> list[Said]:
    """What the client does, in order."""
    return [(CLIENT, each) for each in said]


def s(*said: bytes | Kind | float) -> list[Said]:
    """What the server does, in order."""
    return [(SERVER, each) for each in said]


def pieces(*said: Iterable[Said], connection: int = 1, at: float = 0.0) -> list[Piece]:
    """The pieces of one connection."""
    found = []
    for client, each in (one for part in said for one in part):
        if isinstance(each, float):
            at += each
            continue
        at += STEP
        data, kind = (each, Kind.DATA) if isinstance(each, bytes) else (b"", each)
        found.append(Piece(connection, client, at, data, kind))
    return found


def recording(*connections: list[Piece]) -> Recording:
    """A recording of connections, one after the other."""
    made = Recording()
    for each in connections:
        for piece in each:
            made.add(piece)
    return made


def stream(*said: Iterable[Said]) -> Stream:
    """The client's side of a connection."""
    return stream_of(pieces(*said))
