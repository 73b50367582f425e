"""The interface through which a session reports what the journal records."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from answerback.core.context import RequestContext, SessionConnection

if TYPE_CHECKING:
    from answerback.core.actions import Action
    from answerback.core.plan import Event, Rule
    from answerback.core.reply_cache import CachedReply
    from answerback.core.session.forwarding import Forwarding


class Recorded(Protocol):
    """A session, as its recorder sees it."""

    connection: SessionConnection | None
    recorder: "Recorder | None"
    forwarding: "Forwarding | None"

    @property
    def owes(self) -> bool:
        """Whether the upstream owes a reply, so that a constant reply waits as a script does."""

    @property
    def context(self) -> RequestContext:
        """The context of the request that is being answered."""

    def split_again(self, data: bytes) -> Sequence[bytes]:
        """Return the requests in a read whose reply is cached."""


class Recorder(Protocol):
    """The journal of one connection, kept by `shared.journal.recorder`. A session has none while the journal is off."""

    # Rule: a request is recorded in the turn in which it is matched, before any byte of its reply is sent.

    def repeated(self, cached: "CachedReply", data: bytes, number: int, now: float, session: Recorded) -> None:
        """A read was answered from the cache; `number` is that of its first request."""

    def matched(self, request: bytes, rule: "Rule | None", number: int, now: float, session: Recorded) -> None:
        """A request was matched. Unless the rule has a constant reply, its script follows, until `played`."""

    def event(self, event: "Event", rule: "Rule", now: float, session: Recorded) -> None:
        """A rule matched another event; its script follows, until `played`."""

    def forwarded(self, *, owed: bool) -> object | None:
        """The request in hand is passed on to the upstream; returns what `replied` takes, if a reply is owed."""

    def replied(self, request: object, seconds: float) -> None:
        """The upstream has replied to a request after this time; what is sent for it follows, until `played`."""

    def unanswered(self, now: float) -> None:
        """The upstream will not reply any more."""

    def delayed(self, seconds: float) -> None:
        """A step of the script waits."""

    def applied(self, faults: tuple[int, ...]) -> None:
        """The faults with these cells apply to the script."""

    def suspended(self, actions: "Sequence[Action]", first: int) -> None:
        """The script, which waits for something now, has produced these actions, from number `first` on."""

    def interrupted(self) -> None:
        """The script waits for a frame, and another one is played meanwhile, until `continued`."""

    def continued(self) -> None:
        """The other script is over: the one that waits goes on."""

    def played(self, actions: "Sequence[Action]", first: int) -> None:
        """The script is over; it has produced these actions, from number `first` on."""

    def flushed(self, now: float) -> None:
        """Everything sent so far is in the kernel."""

    def over(self, now: float) -> None:
        """The conversation is over: what is not complete is abandoned."""
