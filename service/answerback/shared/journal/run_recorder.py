"""The journal of a connection while all of its requests are answered from the cache, as most connections' are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from answerback.core.actions import Action, CloseReason
from answerback.core.plan import Event, Rule
from answerback.core.recorder import Recorded
from answerback.core.reply_cache import CachedReply
from answerback.shared.journal.layout import (
    END,
    END_AT,
    FINISH,
    FINISHED_AT,
    FIXED_OPEN,
    IN_PROGRESS,
    NO_RULE,
    SLOT_BYTES,
    STATE_AT,
    Kind,
    State,
)
from answerback.shared.journal.region import run_payload
from answerback.shared.journal.ring import Ring

if TYPE_CHECKING:
    from answerback.shared.journal.listener_journal import ListenerJournal
    from answerback.shared.journal.recorder import ConnectionRecorder

# Rule: `repeated`, `flushed` and `ended` run for every such request, or connection. What they do is inline, and
#       measured (bench part `journal`).

DONE: Final = int(State.DONE)
# State and kind are packed as one number.
RUN_IN_PROGRESS: Final = State.IN_PROGRESS | Kind.RUN << 32
END_DONE: Final = State.DONE | Kind.END << 32


class NothingPlayed:
    """What a recorder does about scripts while none is played: nothing."""

    __slots__ = ()

    def forwarded(self, *, owed: bool) -> object | None:
        """See `Recorder`: nothing is in progress."""

    def replied(self, request: object, seconds: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def unanswered(self, now: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def interrupted(self) -> None:
        """See `Recorder`: nothing is in progress."""

    def continued(self) -> None:
        """See `Recorder`: nothing is in progress."""

    def delayed(self, seconds: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def applied(self, faults: tuple[int, ...]) -> None:
        """See `Recorder`: nothing is in progress."""

    def suspended(self, actions: Sequence[Action], first: int) -> None:
        """See `Recorder`: nothing is in progress."""

    def played(self, actions: Sequence[Action], first: int) -> None:
        """See `Recorder`: nothing is in progress."""


class RunRecorder(NothingPlayed):
    """Records runs of requests, and the connection's end. At anything else a `ConnectionRecorder` takes its place."""

    __slots__ = ("first", "journal", "key", "last", "ring")

    # Set by `ListenerJournal`: an `__init__` would take a tenth of all that is recorded of one request.
    journal: "ListenerJournal"
    ring: Ring
    key: bytes
    """What its records say of the connection."""
    first: int
    """The first and the last of the records whose replies are not known to be in the kernel yet."""
    last: int

    def repeated(self, cached: CachedReply, data: bytes, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        ring = self.ring
        count = cached.requests
        if (cached.position < ring.fresh or ring.room < count) and not self._prepare(cached, data, number, session):
            self.whole(session).each(cached, data, number, now, session)
            return
        sequence, at = ring.next, ring.newest + SLOT_BYTES
        if at > ring.final:
            at = ring.records_at
        FIXED_OPEN.pack_into(
            ring.buffer, at, self.key, now, RUN_IN_PROGRESS, number, cached.position, count, NO_RULE, sequence
        )
        ring.newest = at
        ring.next = sequence + 1
        ring.room -= count
        self.first = self.last = sequence

    def matched(self, request: bytes, rule: Rule | None, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.whole(session).matched(request, rule, number, now, session)

    def event(self, event: Event, rule: Rule, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.whole(session).event(event, rule, now, session)

    def flushed(self, now: float) -> None:
        """See `Recorder`."""
        ring, last = self.ring, self.last
        if self.first == last and last + 1 == ring.next:  # as nearly always, nothing was recorded since
            buffer, at = ring.buffer, ring.newest
            if buffer[at + STATE_AT] == IN_PROGRESS:
                FINISH.pack_into(buffer, at + FINISHED_AT, now, DONE)
        else:
            for sequence in range(self.first, last + 1):
                ring.complete(sequence, now, State.DONE)
        self.first = last + 1

    def over(self, now: float) -> None:
        """See `Recorder`."""
        for sequence in range(self.first, self.last + 1):
            self.ring.complete(sequence, now, State.ABANDONED)
        self.first = self.last + 1

    def ended(self, reason: CloseReason, now: float, born: float, requests: int, received: int, sent: int) -> None:
        """The connection, which began at the time `born`, was closed; it received and sent this many bytes."""
        if self.first <= self.last:
            self.over(now)
        ring = self.journal.events
        if ring.room < 1:
            ring.make_entries(1)
        sequence, at = ring.next, ring.newest + SLOT_BYTES
        if at > ring.final:
            at = ring.records_at
        END.pack_into(
            ring.buffer, at + END_AT,
            received, sent, self.key, now, now - born, END_DONE, requests, ring.head, 1, reason, sequence,
        )  # fmt: skip
        ring.newest = at
        ring.next = sequence + 1
        ring.room -= 1

    def whole(self, session: Recorded) -> "ConnectionRecorder":
        """Return the recorder for what is no run, in place of this one."""
        session.recorder = recorder = self.journal.whole(self)
        return recorder

    def _prepare(self, cached: CachedReply, data: bytes, number: int, session: Recorded) -> bool:
        """Make room for a cached reply, and store it if it is not recent; False if it cannot be a RUN."""
        ring, count = self.ring, cached.requests
        if count > ring.batch and count * 8 > ring.bound:
            return False  # dropping this many at once would leave the ring nearly empty
        if cached.position < ring.fresh:
            most = min(self.journal.body_bytes, ring.longest // 8)
            requests = [(request[:most], len(request)) for request in session.split_again(data)]
            reply = cached.each()
            note = b"" if cached.cell >= 0 else self.journal.note(requests[0][0], number, session)
            payload = run_payload(requests, cached.cell, reply[:most], len(reply), note)
            if len(payload) > ring.longest:
                return False
            cached.position = ring.store(payload)
        if ring.room < count:
            ring.make_entries(count)
        return True
