"""The journal of a connection with scripts, events, or requests that are not answered from the cache."""

from collections.abc import Sequence
from typing import Final

from answerback.compat import override
from answerback.core.actions import Action, CloseReason
from answerback.core.plan import Event, Rule
from answerback.core.recorder import Recorded
from answerback.core.reply_cache import CachedReply
from answerback.shared.journal.layout import EXCHANGE_OPEN, NO_RULE, REST_AT, SLOT_BYTES, Kind, State
from answerback.shared.journal.open_record import OpenRecord, sent_by
from answerback.shared.journal.run_recorder import RunRecorder

# Rule: `_exchange` runs for every request that is not answered from the cache. What it does is inline, and measured
#       (bench parts `journal` and `rules`).

# State and kind are packed as one number.
EXCHANGE_IN_PROGRESS: Final = State.IN_PROGRESS | Kind.EXCHANGE << 32
EVENT_DONE: Final = State.DONE | Kind.EVENT << 32

# What events are called, by the number in their records. Appended to only: records outlive workers.
EVENT_NAMES: Final = ("CONNECT", "IDLE", "EOF", "DRAIN", "TICK", "LIMIT", "UPSTREAM_DOWN", "REPLY")


class ConnectionRecorder(RunRecorder):
    """The journal of one connection. See `core.recorder.Recorder`."""

    __slots__ = ("begun", "open", "outer", "owed")

    begun: tuple[bytes | None, int, int, float] | None
    """What a script is played for, not recorded yet: its rule's cell and the time, and the bytes of a request and its
    number; or None and the number of another event."""
    open: OpenRecord | None
    outer: OpenRecord | None
    """The script that waits while another one is played."""
    owed: dict[OpenRecord, None] | None
    """The requests to which the upstream owes replies, in order; None if none was forwarded yet."""

    def each(self, cached: CachedReply, data: bytes, number: int, now: float, session: Recorded) -> None:
        """Record the requests of a read that was answered from the cache one by one: together they are too large."""
        reply, most = cached.each(), self.journal.body_bytes
        for request in session.split_again(data):
            note = b"" if cached.cell >= 0 else self.journal.note(request, number, session)
            self._await_flush(self._exchange(request, cached.cell, reply, len(reply), number, now, most, note))
            number += 1

    @override
    def whole(self, session: Recorded) -> "ConnectionRecorder":
        return self

    @override
    def matched(self, request: bytes, rule: Rule | None, number: int, now: float, session: Recorded) -> None:
        if rule is None and session.forwarding is None:
            note = self.journal.note(request, number, session)
            self._await_flush(self._exchange(request, NO_RULE, b"", 0, number, now, self.journal.body_bytes, note))
            return
        reply = None if rule is None else rule.reply
        if rule is not None and reply is not None and (session.forwarding is None or not session.owes):
            data, most = reply.data, self.journal.body_bytes
            self._await_flush(self._exchange(request, rule.cell, data, len(data), number, now, most))
            return
        if self.begun is not None or self.open is not None:
            self._close()
        self.begun = request, NO_RULE if rule is None else rule.cell, number, now

    @override
    def event(self, event: Event, rule: Rule, now: float, session: Recorded) -> None:
        if self.begun is not None or self.open is not None:
            self._close()
        self.begin(event, rule, now)

    def begin(self, event: Event, rule: Rule, now: float) -> None:
        """Remember an event until its script has been played."""
        self.begun = None, rule.cell, EVENT_NAMES.index(event._name_), now  # `name` is two calls of Python's

    @override
    def forwarded(self, *, owed: bool) -> OpenRecord | None:
        current = self._opened()
        if current is None:
            return None
        current.forward()
        if not owed:
            return None
        if self.owed is None:
            self.owed = {}
        self.owed[current] = None
        return current

    @override
    def replied(self, request: object, seconds: float) -> None:
        if self.owed is not None and request in self.owed:
            assert isinstance(request, OpenRecord)
            del self.owed[request]
            request.upstream = seconds
            self.open = request

    @override
    def unanswered(self, now: float) -> None:
        owed, self.owed = self.owed, None
        for request in owed or ():
            request.ring.complete(request.sequence, now, State.ABANDONED)

    @override
    def delayed(self, seconds: float) -> None:
        current = self._opened()
        if current is not None:
            current.delayed += seconds

    @override
    def applied(self, faults: tuple[int, ...]) -> None:
        current = self._opened()
        if current is not None:
            current.applied(faults)

    @override
    def suspended(self, actions: Sequence[Action], first: int) -> None:
        current = self._opened()
        if current is not None:
            current.sending(actions, first, self.journal.body_bytes)
            current.store()

    @override
    def played(self, actions: Sequence[Action], first: int) -> None:
        begun = self.begun
        if begun is not None:
            self.begun = None
            request, rule, number, now = begun
            most = self.journal.body_bytes
            reply, size = sent_by(actions, first, most)
            if request is None:
                self._event(rule, reply, size, number, now)
            else:
                self._await_flush(self._exchange(request, rule, reply, size, number, now, most))
        elif self.open is not None:
            self.open.sending(actions, first, self.journal.body_bytes)
            self._close()

    @override
    def over(self, now: float) -> None:
        super().over(now)
        scripts = self._opened(), self.outer, *(self.owed or ())
        self.open = self.outer = self.owed = None
        for current in scripts:
            if current is not None:
                current.store(whole=True)
                current.ring.complete(current.sequence, now, State.ABANDONED)

    @override
    def interrupted(self) -> None:
        self.outer, self.open = self._opened(), None

    @override
    def continued(self) -> None:
        self._close()
        self.open, self.outer = self.outer, None

    @override
    def ended(self, reason: CloseReason, now: float, born: float, requests: int, received: int, sent: int) -> None:
        if self.begun or self.open is not None or self.outer is not None or self.owed:
            self.over(now)
        super().ended(reason, now, born, requests, received, sent)

    def _opened(self) -> OpenRecord | None:
        """Return the record of the script that is played; one that is not recorded yet is now."""
        if self.begun is not None:
            (request, rule, number, now), self.begun = self.begun, None
            if request is None:
                self.open = self._open_event(rule, number, now)
            else:
                most = self.journal.body_bytes
                self.open = OpenRecord(self.ring, self._exchange(request, rule, b"", 0, number, now, most))
        return self.open

    def _open_event(self, rule: int, number: int, now: float) -> OpenRecord:
        """Record an event whose script goes on."""
        ring, kind = self.journal.events, Kind.EVENT
        at = ring.append(self.key, now, state=State.IN_PROGRESS, kind=kind, number=number, payload=ring.head, rule=rule)
        return OpenRecord(ring, at)

    def _event(self, rule: int, reply: bytes | memoryview, size: int, number: int, now: float) -> None:
        """Record an event whose script has ended, with its reply of `size` bytes, of which these are kept."""
        ring = self.journal.events
        payload = ring.store(reply)
        if ring.room < 1:
            ring.make_entries(1)
        buffer, sequence, at = ring.buffer, ring.next, ring.newest + SLOT_BYTES
        if at > ring.final:
            at = ring.records_at
        EXCHANGE_OPEN.pack_into(
            buffer, at + REST_AT,
            0, 0, payload, size, len(reply), 0, 0, self.key, now, EVENT_DONE, number, payload, 1, rule, sequence,
        )  # fmt: skip
        ring.newest = at
        ring.next = sequence + 1
        ring.room -= 1

    def _close(self) -> None:
        """Complete the record of the script that is played, if there is one."""
        current, self.open = self._opened(), None
        if current is None:
            return
        more = current is self.outer or (self.owed is not None and current in self.owed)
        if not more or not current.is_empty:
            current.store(whole=True)
        if more:
            return
        if current.ring is not self.ring:
            current.ring.complete(current.sequence, 0.0, State.DONE)
        else:
            self._await_flush(current.sequence)

    def _exchange(  # noqa: PLR0913, PLR0917 - what is recorded of one; an object for it would cost as much again
        self,
        request: bytes,
        rule: int,
        reply: bytes | memoryview,
        size: int,
        number: int,
        now: float,
        most: int,
        note: bytes = b"",
    ) -> int:
        """Record a request and its reply of `size` bytes; `most` bytes of each body are kept."""
        ring, requested = self.ring, len(request)
        kept, sent = request[:most], reply[:most]
        payload = ring.store(b"".join((kept, sent, note)))
        if ring.room < 1:
            ring.make_entries(1)
        buffer, sequence, reply_at = ring.buffer, ring.next, payload + len(kept)
        note_at = reply_at + len(sent)
        at = ring.newest + SLOT_BYTES
        if at > ring.final:
            at = ring.records_at
        EXCHANGE_OPEN.pack_into(
            buffer, at + REST_AT,
            len(kept), requested, reply_at, size, len(sent), note_at, len(note),
            self.key, now, EXCHANGE_IN_PROGRESS, number, payload, 1, rule, sequence,
        )  # fmt: skip
        ring.newest = at
        ring.next = sequence + 1
        ring.room -= 1
        return sequence

    def _await_flush(self, sequence: int) -> None:
        """The record is complete as soon as everything sent is in the kernel."""
        if self.first > self.last:
            self.first = sequence
        elif sequence != self.last + 1:  # records of other connections stand between: these need not wait
            for earlier in range(self.first, self.last + 1):
                self.ring.complete(earlier, 0.0, State.DONE)
            self.first = sequence
        self.last = sequence
