"""The talk of a recording: what the clients sent, and what they received."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from answerback.recording.pieces import Kind, Piece


def talk_of(pieces: Sequence[Piece], comments: Sequence[str], idle: frozenset[int]) -> str:
    """The text of the talk. `idle`: the connections that the server closed after a long silence."""
    kept = [piece for piece in pieces if not (piece.connection in idle and piece.kind is Kind.FIN)]
    lines = [*(f"# {comment}" for comment in comments), *_lines(kept)]
    return "\n".join(lines) + "\n"


def _lines(pieces: Sequence[Piece]) -> Iterator[str]:
    named = _overlap(pieces)
    opened: set[int] = set()
    ended: set[tuple[int, bool]] = set()
    current = 0
    for (connection, _), group in groupby(pieces, key=lambda piece: (piece.connection, piece.from_client)):
        if connection != current:
            yield from _switch(connection, opened, named=named)
            opened.add(connection)
            current = connection
        burst = list(group)
        data = b"".join(piece.data for piece in burst)
        if data:
            yield f"{_sign(burst[0])} {_quoted(data)}"
        for piece in burst:
            if piece.kind is not Kind.DATA:
                yield from _end(piece, ended)
                ended.add((connection, piece.from_client))


def _switch(connection: int, opened: set[int], *, named: bool) -> Iterator[str]:
    """Go on with another connection."""
    if named:
        yield f"{'as' if connection in opened else 'connect'} c{connection}"
    elif opened:
        yield "connect"


def _end(piece: Piece, ended: set[tuple[int, bool]]) -> Iterator[str]:
    """How one side ended. A client's reset cannot be played, so nothing is expected behind it."""
    if (piece.connection, not piece.from_client) in ended and piece.from_client:
        return  # the server has closed, and so does the client
    if piece.kind is Kind.FIN:
        yield f"{_sign(piece)} eof"
    elif not piece.from_client:
        yield "< reset"


def _overlap(pieces: Sequence[Piece]) -> bool:
    """Whether connections were used at the same time."""
    seen: list[int] = []
    for piece in pieces:
        if piece.connection not in seen:
            seen.append(piece.connection)
        elif piece.connection != seen[-1]:
            return True
    return False


def _sign(piece: Piece) -> str:
    return ">" if piece.from_client else "<"


def _quoted(data: bytes) -> str:
    """Bytes as in a talk: a JSON string if most of them are text."""
    text = data.decode("latin-1")
    plain = sum(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in data)
    return json.dumps(text) if plain * 10 >= len(data) * 7 else f"hex {data.hex(' ')}"
