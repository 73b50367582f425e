"""The replies that an upstream owes, one for each request that was forwarded, and what has come of them."""

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from answerback.core.framing import Framing
from answerback.core.session.reader import RequestReader
from answerback.core.steps import AwaitReplies

if TYPE_CHECKING:
    from answerback.core.session.session import Session

# Rule: where replies are owed, requests that are over are noted here, and not in `Conversation.answered`: each was
#       received at its own time.
# Rule: what is kept of requests is bounded by number and bytes: then the next one waits, and the client is not read.

MAX_OWED: Final = 128  # requests that are forwarded before the first of them is answered
MAX_OWED_BYTES: Final = 64 << 10  # of those requests; the last one may be longer


class Owed(NamedTuple):
    """A request whose reply is owed."""

    request: bytes
    number: int
    received: float
    """When it was received."""
    since: float
    """When it was forwarded."""
    record: object | None
    """What its recorder knows it by."""


class OwedReplies:
    """What one connection's upstream owes, and the bytes that it has sent."""

    __slots__ = (
        "_answered",
        "_bytes",
        "_in_hand",
        "began",
        "ended",
        "gave_way",
        "heard_at",
        "leaving",
        "more",
        "owed",
        "quiet_at",
        "reader",
        "stream",
    )

    owed: deque[Owed]
    """The requests whose replies are owed, in order."""
    reader: RequestReader
    """What the upstream has sent, and its framing."""
    more: bool
    """Whether what it has sent may begin with a reply."""
    heard_at: float
    """When the upstream last sent bytes."""
    began: float
    """When the turn began in which replies were last taken."""
    gave_way: bool
    """Whether that turn was used up: the rest waits for the next."""
    quiet_at: float
    """When silence ends the reply, as its framing says; `inf` if it does not."""
    ended: bool
    """Whether the upstream has sent FIN, and everything before it was received."""
    leaving: bool
    """Whether the client, or a drain, waits for nothing but what is owed."""

    stream: bytes | None
    """What the upstream has sent behind a reply after which nothing is framed any more; None before one."""

    def __init__(self, framing: Framing) -> None:
        self.reader = RequestReader(framing)
        self.owed = deque()
        self._bytes = 0  # of these requests
        self._in_hand: Owed | None = None  # the request that is answered by the reply whose script is in progress
        self._answered: dict[float, int] = {}  # requests that are over, by when they were received
        self.more = self.gave_way = self.ended = self.leaving = False
        self.stream = None
        self.began = self.heard_at = 0.0
        self.quiet_at = inf

    @property
    def is_extra(self) -> bool:
        """Whether the framing knows that the reply in hand answers no request."""
        return self.reader.framer is not None and self.reader.framer.is_extra

    def must_wait_for(self, request: bytes) -> bool:
        """Whether nothing may follow this request until the reply to it is known: it may end the framing."""
        return self.reader.framer is not None and self.reader.framer.may_switch(request)

    @property
    def may_switch(self) -> bool:
        """Whether what follows the next reply may be a stream: its request asks for that, and waits for it."""
        return bool(self.owed) and self.must_wait_for(self.owed[0].request)

    def switch(self) -> None:
        """What follows the last reply is a stream."""
        self.stream, self.reader.buffer, self.reader.searched = bytes(self.reader.buffer), b"", 0

    @property
    def full(self) -> bool:
        """Whether no further request may be forwarded."""
        return len(self.owed) >= MAX_OWED or self._bytes >= MAX_OWED_BYTES

    def owe(self, owed: Owed) -> None:
        """A request is forwarded."""
        self.owed.append(owed)
        self._bytes += len(owed.request)

    def settle(self) -> Owed | None:
        """A reply has come: return the request that it is for; None if none was owed one."""
        if not self.owed:
            return None
        self._in_hand = settled = self.owed.popleft()
        self._bytes -= len(settled.request)
        return settled

    def reply_over(self, waiting: int) -> None:
        """What is done for the reply in hand is over; `waiting`: the number of the request whose script waits, or 0."""
        settled, self._in_hand = self._in_hand, None
        if settled is not None and settled.number != waiting:
            self._note(settled.received, 1)

    def requests_over(self, before: int, count: int, received: float) -> None:
        """The scripts of `count` requests behind this number are over: so are those to which no reply is owed."""
        last = before + count
        for owed in reversed(self.owed):
            if owed.number <= before:
                break
            count -= owed.number <= last
        self._note(received, count)

    def _note(self, received: float, count: int) -> None:
        if count:
            self._answered[received] = self._answered.get(received, 0) + count

    def flushed(self, session: "Session", now: float) -> None:
        """Everything that was sent is in the kernel: count the requests that it has answered."""
        if not self._answered:
            return
        for received, count in self._answered.items():
            session.metrics.answered(now - received, count)
        self._answered.clear()
        session.active_at = now
        if session.recorder is not None:
            session.recorder.flushed(now)

    def forget(self) -> None:
        """Nothing is owed any more: there is no upstream."""
        self.owed.clear()
        self._bytes = 0

    def end(self, wait: AwaitReplies) -> bool:
        """Whether a script that waits like this may go on."""
        return not self.owed or (wait.room and not self.full)
