"""Requests that are passed on to an upstream, as they were received: with what the framing removes."""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from answerback.core.actions import Action, Forward
from answerback.core.framing import Buffer, Framing
from answerback.core.plan import Rule
from answerback.core.session.owed import Owed, OwedReplies
from answerback.core.steps import AWAIT_REPLIES, AWAIT_ROOM, FORWARD, Step

if TYPE_CHECKING:
    from answerback.core.session.conversation import Conversation
    from answerback.core.session.session import Session

# Rule: a session of a listener without an upstream has no `Forwarding`, and does nothing of this.

UNMATCHED: Rule = Rule("", -1, (FORWARD,))
"""What is done with a request that no rule matches."""


class Forwarding:
    """What a session keeps of the request that is being answered, and of those that the upstream answers."""

    __slots__ = ("_end", "_framer", "_index", "_received", "_requests", "replies")

    replies: OwedReplies | None
    """What the upstream owes; None if its replies are passed on as they come."""

    def __init__(self, replies: OwedReplies | None = None) -> None:
        self._received: bytes | None = b""
        self._framer: Framing | None = None
        self._requests = self._index = self._end = 0
        self.replies = replies

    @property
    def owes(self) -> bool:
        """Whether the upstream owes a reply to a request before."""
        return self.replies is not None and bool(self.replies.owed)

    @property
    def full(self) -> bool:
        """Whether the upstream owes as much as it may."""
        return self.replies is not None and self.replies.full

    def must_wait_for(self, request: bytes) -> bool:
        """Whether the reply to a request has to be known before the client's next bytes are taken."""
        return self.replies is not None and self.replies.must_wait_for(request)

    def in_turn(self, rule: Rule, script: Iterator[Step]) -> Iterator[Step]:
        """Return the script of a rule; what it does waits for the replies that are owed to requests before."""
        if not self.owes:
            return script
        if not rule.only_forwards:
            return chain((AWAIT_REPLIES,), script)
        return chain((AWAIT_ROOM,), script) if self.full else script

    def note_over(self, conversation: "Conversation", before: int) -> None:
        """Requests behind this number are over, as `Conversation.answered` says: each may be owed a reply."""
        if self.replies is not None:
            self.replies.requests_over(before, conversation.answered, conversation.started)
            conversation.answered = 0

    def await_owed(self, session: "Session") -> None:
        """Read nothing more of the client: only what is owed is awaited."""
        assert self.replies is not None
        self.replies.leaving = True
        session.wants_read = False

    def next(self, framer: Framing | None, requests: int, index: int, end: int) -> None:
        """Request number `index` of the `requests` at the start of the buffer is next; they end at `end`."""
        self._received = None
        self._framer, self._requests, self._index, self._end = framer, requests, index, end

    def received(self, session: "Session") -> bytes:
        """Return the request's bytes, as they were received. Call it before they are removed from the buffer."""
        if self._received is None:
            self._received = self._find(session.conversation.reader.buffer)
        return self._received

    def _find(self, buffer: Buffer) -> bytes:
        if self._requests == 1:
            return bytes(buffer[: self._end])
        framer, index = self._framer, self._index
        assert framer is not None, "it has split them"
        begin = framer.consumed(buffer, index) if index else 0
        found = bytes(buffer[begin : framer.consumed(buffer, index + 1)])
        if framer.has_history:
            framer.consumed(buffer, self._requests)  # it knows what follows all of them, again
        return found


def forward(session: "Session", forwarding: Forwarding, request: bytes, actions: list[Action], now: float) -> None:
    """Pass a request on; `request`: as rules see it."""
    received, replies, conversation = forwarding.received(session), forwarding.replies, session.conversation
    actions.append(Forward(received))
    record = None if session.recorder is None else session.recorder.forwarded(owed=replies is not None)
    if replies is not None:
        replies.owe(Owed(request, conversation.number, conversation.started, now, record))
    if session.observer is not None:
        session.observer.forwarded(received)
