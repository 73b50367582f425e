"""The replies that an upstream owes, one for each request that was forwarded, and what has come of them."""

from collections import deque
from math import inf
from typing import Final, NamedTuple

from answerback.core.framing import Framing
from answerback.core.session.reader import RequestReader
from answerback.core.steps import AwaitReplies

# Rule: what is kept of requests is bounded by number and bytes: then the next one waits, and the client is not read.

MAX_OWED: Final = 128  # requests that are forwarded before the first of them is answered
MAX_OWED_BYTES: Final = 64 << 10  # of those requests; the last one may be longer


class Owed(NamedTuple):
    """A request whose reply is owed."""

    request: bytes
    number: int
    since: float = 0.0
    """When it was forwarded."""
    record: object | None = None
    """What its recorder knows it by."""


class OwedReplies:
    """What one connection's upstream owes, and the bytes that it has sent."""

    __slots__ = (
        "_bytes",
        "began",
        "ended",
        "gave_way",
        "heard_at",
        "leaving",
        "more",
        "owed",
        "quiet_at",
        "reader",
        "sent",
    )

    owed: deque[Owed]
    """The requests whose replies are owed, in order."""
    reader: RequestReader
    """What the upstream has sent, and its framing."""
    more: bool
    """Whether what it has sent may begin with a reply."""
    heard_at: float
    """When the upstream last sent bytes."""
    sent: bool
    """Whether something was sent for a reply that may not be in the kernel yet."""
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

    def __init__(self, framing: Framing) -> None:
        self.reader = RequestReader(framing)
        self.owed = deque()
        self._bytes = 0  # of these requests
        self.more = self.gave_way = self.ended = self.leaving = False
        self.sent = False
        self.began = self.heard_at = 0.0
        self.quiet_at = inf

    @property
    def is_extra(self) -> bool:
        """Whether the framing knows that the reply in hand answers no request."""
        return self.reader.framer is not None and self.reader.framer.is_extra

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
        settled = self.owed.popleft()
        self._bytes -= len(settled.request)
        return settled

    def forget(self) -> None:
        """Nothing is owed any more: there is no upstream."""
        self.owed.clear()
        self._bytes = 0

    def end(self, wait: AwaitReplies) -> bool:
        """Whether a script that waits like this may go on."""
        return not self.owed or (wait.room and not self.full)
