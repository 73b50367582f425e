"""Requests and their replies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from answerback.core.framing import Malformed
from answerback.recording.flow import Bare
from answerback.recording.pieces import Kind, Piece
from answerback.recording.splitting import Framed, split
from answerback.recording.streams import Stream, stream_of

IDLE_SECONDS: Final = 2.0
"""A server that closes after a longer silence did so because of it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes that the server sent at once, `after` seconds behind what came before."""

    data: bytes
    after: float = 0.0


@dataclass(slots=True)
class Exchange:
    """A request, or the beginning of a connection, and what the server did then."""

    connection: int
    number: int
    """Of the request on its connection, from 1; 0 for the beginning."""
    request: bytes = b""
    begin: int = 0
    """Where the request begins in what the client sent."""
    end: int = 0
    replies: list[Sent] = field(default_factory=list)
    ends: Kind | None = None
    """How the server ended the connection then: FIN or RESET; None if it did not."""
    at: float = 0.0

    @property
    def reply(self) -> bytes:
        """All bytes of the reply."""
        return b"".join(sent.data for sent in self.replies)


@dataclass(slots=True)
class Conversation:
    """The exchanges of one connection."""

    number: int
    exchanges: list[Exchange]
    """The beginning, then each request."""
    idle_timeout: float | None = None
    """The silence after which the server closed the connection."""
    guessed: list[tuple[int, int]] = field(default_factory=list)
    """First and last request of those that were sent together, and whose replies could not be separated."""


def conversation_of(number: int, pieces: Sequence[Piece], framed: Framed) -> Conversation:
    """The exchanges of a connection. Raises Malformed."""
    stream = stream_of(pieces)
    requests, _ = framed.split(stream)
    exchanges = [Exchange(number, 0, at=pieces[0].at)]
    exchanges += [Exchange(number, n, each.data, each.begin, each.end) for n, each in enumerate(requests, 1)]
    conversation = Conversation(number, exchanges)
    framing = framed.first if framed.then is None else framed.then
    sent, done, before = 0, 0, pieces[0]
    for piece, burst in _bursts(pieces):
        if piece.from_client:
            sent += sum(len(each.data) for each in burst)
        else:
            reached = sum(request.end <= sent for request in requests)
            _answer(conversation, done, reached, burst, before, framing)
            done = max(done, reached)
        before = burst[-1]
    return conversation


def _bursts(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, list[Piece]]]:
    """What one side sent before the other side sent something; its first piece, and all of them."""
    for _, burst in groupby(pieces, key=lambda piece: piece.from_client):
        whole = list(burst)
        yield whole[0], whole


def _answer(
    conversation: Conversation, done: int, reached: int, burst: Sequence[Piece], before: Piece, framing: Bare
) -> None:
    """Add what the server sent to the exchange that it belongs to."""
    exchanges = conversation.exchanges
    data = [piece for piece in burst if piece.data]
    for exchange in exchanges[done + 1 : reached + 1]:
        exchange.at = burst[0].at
    together = reached - done
    parts = _apart(b"".join(piece.data for piece in data), together, framing) if together > 1 else []
    if parts:
        for exchange, part in zip(exchanges[done + 1 : reached + 1], parts, strict=True):
            exchange.replies.append(Sent(part, data[0].at - before.at if exchange is exchanges[done + 1] else 0.0))
    else:
        if together > 1 and data:
            conversation.guessed.append((done + 1, reached))
        at = before.at
        for piece in data:
            exchanges[reached].replies.append(Sent(piece.data, piece.at - at))
            at = piece.at
    end = next((piece for piece in burst if piece.kind is not Kind.DATA), None)
    if end is None:
        return
    last = data[-1] if data else before
    if last.kind is not Kind.DATA and last.from_client:
        return  # the client closed first
    if end.kind is Kind.FIN and end.at - last.at >= IDLE_SECONDS:
        conversation.idle_timeout = end.at - last.at
    else:
        exchanges[reached].ends = end.kind


# ── Replies to requests that were sent together ───────────────────────────────────────────────────────────────────


def _apart(data: bytes, count: int, framing: Bare) -> list[bytes]:
    """The replies, one for each request; none if they cannot be separated."""
    if framing == "resp":
        parts = _resp_replies(data)
    elif framing == "http":
        return []
    else:
        try:
            found, size = split(Stream(data), framing)
        except Malformed:
            return []
        parts = [data[each.begin : each.end] for each in found] if size == len(data) else []
    return parts if len(parts) == count else []


def _resp_replies(data: bytes) -> list[bytes]:
    """RESP2 and RESP3 replies; none if something is incomplete or unknown."""
    found, at = [], 0
    while at < len(data):
        end = _resp_end(data, at)
        if not end:
            return []
        found.append(data[at:end])
        at = end
    return found


def _resp_end(data: bytes, at: int) -> int:
    """Where the reply that begins there ends; 0 if it is incomplete or unknown."""
    left = 1
    while left:
        line = data.find(b"\r\n", at)
        if line < 0:
            return 0
        mark, number = data[at : at + 1], data[at + 1 : line]
        at, left = line + 2, left - 1
        if mark in b"+-:_#,(":
            continue
        if mark not in b"$*%~>=!" or not number.lstrip(b"-").isdigit():
            return 0
        count = int(number)
        if mark in b"$=!":
            at += count + 2 if count >= 0 else 0
        else:
            left += max(count, 0) * (2 if mark == b"%" else 1)
    return at if at <= len(data) else 0
