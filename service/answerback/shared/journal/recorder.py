"""What sessions report to the journal: one recorder for each connection that has sent a request."""

from collections.abc import Callable, Sequence
from typing import Final

from answerback.core.actions import Action, CloseReason, Send
from answerback.core.plan import Event, Rule
from answerback.core.recorder import Recorded
from answerback.core.reply_cache import CachedReply
from answerback.shared.journal.layout import (
    CONNECTION,
    DELAYED_AT,
    DOUBLE,
    FINISH,
    FINISHED_AT,
    FIXED,
    MAX_FAULTS,
    NO_RULE,
    REST,
    REST_AT,
    SLOT_BYTES,
    STATE_AT,
    Kind,
    State,
)
from answerback.shared.journal.region import JournalRegion, run_payload
from answerback.shared.journal.ring import Ring

# Rule: `repeated` runs for every request of the fast path. What it does is inline, and measured (bench part `journal`).

IN_PROGRESS: Final = int(State.IN_PROGRESS)  # numbers of an enum are slow to pack
DONE: Final = int(State.DONE)
RUN: Final = int(Kind.RUN)
END: Final = int(Kind.END)
EXCHANGE: Final = int(Kind.EXCHANGE)

# What events are called, by the number in their records. Appended to only: records outlive workers.
EVENT_NAMES: Final = ("CONNECT", "IDLE", "EOF", "DRAIN", "TICK", "LIMIT")


class ListenerJournal:
    """The journal of one listener in one worker. It stands in for a connection's recorder until its first request."""

    __slots__ = ("_body_bytes", "_note", "_process", "_slot", "block", "region")

    def __init__(
        self,
        region: JournalRegion,
        block: int,
        body_bytes: int | None,
        process: int,
        slot: int,
        note: Callable[[bytes, Recorded], bytes] = lambda _request, _session: b"",
    ) -> None:
        """`block`: where the listener is counted. `body_bytes`: kept of each body; None as for all listeners.

        `note`: what is noted of a request that no rule matched.
        """
        self.region = region
        self.block = block
        self._body_bytes = body_bytes
        self._process = process
        self._slot = slot
        self._note = note

    @property
    def body_bytes(self) -> int:
        """The bytes kept of each body."""
        kept = self.region.body_bytes if self._body_bytes is None else self._body_bytes
        return min(kept, self.region.exchanges.longest * 3 // 8)

    def note(self, request: bytes, number: int, session: Recorded) -> bytes:
        """Return why no rule matched this request."""
        context = session.context
        context.request, context.number = request, number
        return self._note(request, session)[: self.region.exchanges.longest // 8]

    def connection_of(self, number: int, host: str, port: int) -> "ConnectionRecorder":
        """Return a recorder for the connection with this number and peer."""
        key = CONNECTION.pack(
            self._process, self.block, number, port, self._slot, host.partition("%")[0].encode("ascii", "replace")
        )
        return ConnectionRecorder(self, key)

    def connection(self, session: Recorded) -> "ConnectionRecorder":
        """Begin to record a connection."""
        session.recorder = recorder = self.connection_of(*session.connection_key())
        return recorder

    def repeated(self, cached: CachedReply, data: bytes, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.connection(session).repeated(cached, data, number, now, session)

    def matched(self, request: bytes, rule: Rule | None, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.connection(session).matched(request, rule, number, now, session)

    def event(self, event: Event, rule: Rule, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.connection(session).event(event, rule, now, session)

    def sending(self, actions: Sequence[Action], first: int) -> None:
        """See `Recorder`: nothing is in progress."""

    def interrupted(self) -> None:
        """See `Recorder`: nothing is in progress."""

    def continued(self) -> None:
        """See `Recorder`: nothing is in progress."""

    def delayed(self, seconds: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def applied(self, faults: tuple[int, ...]) -> None:
        """See `Recorder`: nothing is in progress."""

    def suspended(self) -> None:
        """See `Recorder`: nothing is in progress."""

    def played(self) -> None:
        """See `Recorder`: nothing is in progress."""

    def flushed(self, now: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def over(self, now: float) -> None:
        """See `Recorder`: nothing is in progress."""


class _Open:
    """An exchange or event whose script is in progress."""

    __slots__ = ("body", "delayed", "faults", "many", "ring", "sequence", "size", "stored")

    def __init__(self, ring: Ring, sequence: int) -> None:
        self.ring = ring
        self.sequence = sequence
        self.body = bytearray()  # of the reply, as much as is kept
        self.size = 0
        self.stored = 0  # bytes of the body that are in the journal already
        self.delayed = 0.0
        self.faults: tuple[int, ...] = ()
        self.many = 0  # faults, those that are not named too


class ConnectionRecorder:
    """The journal of one connection. See `core.recorder.Recorder`."""

    __slots__ = ("_first", "_journal", "_key", "_last", "_open", "_outer", "_ring")

    def __init__(self, journal: ListenerJournal, key: bytes) -> None:
        self._journal = journal
        self._ring = journal.region.exchanges
        self._key = key
        self._first = 1  # the records whose replies are not known to be in the kernel yet
        self._last = 0
        self._open: _Open | None = None
        self._outer: _Open | None = None  # the script that waits while another one is played

    def repeated(self, cached: CachedReply, data: bytes, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        ring = self._ring
        count = cached.requests
        if (cached.position < ring.fresh or ring.room < count) and not self._prepare(cached, data, number, session):
            for request in session.split_again(data):
                self._append(request, cached.cell, cached.each(), number, now, session)
                number += 1
            return
        sequence = ring.next
        FIXED.pack_into(
            ring.buffer,
            ring.slots_at + sequence % ring.slots * SLOT_BYTES,
            *(self._key, now, 0.0, 0.0, IN_PROGRESS, RUN, number, cached.position, count, NO_RULE, sequence),
        )
        ring.next = sequence + 1
        ring.room -= count
        self._first = self._last = sequence

    def matched(self, request: bytes, rule: Rule | None, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        if rule is None:
            self._append(request, NO_RULE, b"", number, now, session)
        elif rule.reply is not None:
            self._append(request, rule.cell, rule.reply.data, number, now, session)
        else:
            self.played()
            self._open = _Open(self._ring, self._add(request, rule.cell, b"", number, now, b""))

    def event(self, event: Event, rule: Rule, now: float, session: Recorded) -> None:  # noqa: ARG002 - see ListenerJournal
        """See `Recorder`."""
        ring = self._journal.region.events
        self.played()
        sequence = ring.append(
            self._key,
            now,
            state=State.IN_PROGRESS,
            kind=Kind.EVENT,
            number=EVENT_NAMES.index(event.name),
            payload=ring.head,
            rule=rule.cell,
        )
        self._open = _Open(ring, sequence)

    def sending(self, actions: Sequence[Action], first: int) -> None:
        """See `Recorder`."""
        current = self._open
        if current is None:
            return
        most = self._journal.body_bytes
        for action in actions[first:] if first else actions:
            if type(action) is Send:
                current.size += len(action.data)
                if len(current.body) < most:
                    current.body += action.data[: most - len(current.body)]

    def delayed(self, seconds: float) -> None:
        """See `Recorder`."""
        if self._open is not None:
            self._open.delayed += seconds

    def applied(self, faults: tuple[int, ...]) -> None:
        """See `Recorder`."""
        current = self._open
        if current is not None:
            current.many += len(faults)
            current.faults = (*current.faults, *faults)[:MAX_FAULTS]

    def suspended(self) -> None:
        """See `Recorder`."""
        if self._open is not None:
            self._store(self._open)

    def played(self) -> None:
        """See `Recorder`."""
        current, self._open = self._open, None
        if current is None:
            return
        self._store(current, whole=True)
        if current.ring is not self._ring:
            current.ring.complete(current.sequence, 0.0, State.DONE)
        else:
            self._await_flush(current.sequence)

    def flushed(self, now: float) -> None:
        """See `Recorder`."""
        ring, last = self._ring, self._last
        if self._first == last >= ring.tail:
            at = ring.slots_at + last % ring.slots * SLOT_BYTES
            if ring.buffer[at + STATE_AT] == IN_PROGRESS:
                FINISH.pack_into(ring.buffer, at + FINISHED_AT, now, DONE)
        else:
            for sequence in range(self._first, last + 1):
                ring.complete(sequence, now, State.DONE)
        self._first = last + 1

    def over(self, now: float) -> None:
        """See `Recorder`."""
        if self._first <= self._last:
            for sequence in range(self._first, self._last + 1):
                self._ring.complete(sequence, now, State.ABANDONED)
            self._first = self._last + 1
        scripts = self._open, self._outer
        self._open = self._outer = None
        for current in scripts:
            if current is not None:
                self._store(current, whole=True)
                current.ring.complete(current.sequence, now, State.ABANDONED)

    def interrupted(self) -> None:
        """See `Recorder`."""
        self._outer, self._open = self._open, None

    def continued(self) -> None:
        """See `Recorder`."""
        self.played()
        self._open, self._outer = self._outer, None

    def ended(
        self, reason: CloseReason, now: float, seconds: float, requests: int, *, received: int, sent: int
    ) -> None:
        """The connection was closed after `seconds`."""
        ring = self._journal.region.events
        if ring.room < 1:
            ring.make_entries(1)
        sequence = ring.next
        at = ring.slots_at + sequence % ring.slots * SLOT_BYTES
        REST.pack_into(ring.buffer, at + REST_AT, 0, 0, received, sent, 0, 0, 0, 0, 0, 0, 0, 0)
        FIXED.pack_into(
            ring.buffer, at, self._key, now, seconds, now, DONE, END, requests, ring.head, 1, reason, sequence
        )
        ring.next = sequence + 1
        ring.room -= 1

    def _prepare(self, cached: CachedReply, data: bytes, number: int, session: Recorded) -> bool:
        """Make room for a cached reply, and store it if it is not recent; False if it cannot be a RUN."""
        ring, count = self._ring, cached.requests
        if count > ring.batch and count * 8 > ring.bound:
            return False  # dropping this many at once would leave the ring nearly empty
        if cached.position < ring.fresh:
            most = min(self._journal.body_bytes, ring.longest // 8)
            requests = [(request[:most], len(request)) for request in session.split_again(data)]
            reply = cached.each()
            note = b"" if cached.cell >= 0 else self._journal.note(requests[0][0], number, session)
            parts = run_payload(requests, cached.cell, reply[:most], len(reply), note)
            if sum(map(len, parts)) > ring.longest:
                return False
            cached.position = ring.store(*parts)
        if ring.room < count:
            ring.make_entries(count)
        return True

    def _append(
        self, request: bytes, rule: int, reply: bytes | memoryview, number: int, now: float, session: Recorded
    ) -> None:
        """Record a request with its whole reply."""
        note = b"" if rule >= 0 else self._journal.note(request, number, session)
        self._await_flush(self._add(request, rule, reply, number, now, note))

    def _add(self, request: bytes, rule: int, reply: bytes | memoryview, number: int, now: float, note: bytes) -> int:
        ring, most = self._ring, self._journal.body_bytes
        kept, sent = request[:most], reply[:most]
        payload = ring.store(kept, sent, note)
        reply_at = payload + len(kept)
        return ring.append(
            self._key,
            now,
            state=State.IN_PROGRESS,
            kind=Kind.EXCHANGE,
            number=number,
            payload=payload,
            rule=rule,
            rest=(
                *(len(kept), len(request), reply_at, len(reply), len(sent), 0, 0, 0, 0, 0),
                *(reply_at + len(sent), len(note)),
            ),
        )

    def _await_flush(self, sequence: int) -> None:
        """The record is complete as soon as everything sent is in the kernel."""
        if self._first > self._last:
            self._first = sequence
        elif sequence != self._last + 1:  # records of other connections stand between: these need not wait
            for earlier in range(self._first, self._last + 1):
                self._ring.complete(earlier, 0.0, State.DONE)
            self._first = sequence
        self._last = sequence

    def _store(self, current: _Open, *, whole: bool = False) -> None:
        """Write what is known of a reply in progress, if it has grown much, or is `whole`."""
        ring, sequence = current.ring, current.sequence
        if sequence < ring.tail:
            return  # it was dropped
        body, reply_at = current.body, 0
        grown = len(body) > current.stored if whole else len(body) > 2 * current.stored
        if grown:
            reply_at = ring.store(body)
            current.stored = len(body)
            if sequence < ring.tail:
                return  # to make room for its reply
        at = ring.at(sequence)
        rest = list(REST.unpack_from(ring.buffer, at + REST_AT))
        if grown:
            rest[2], rest[4] = reply_at, len(body)
        rest[3] = current.size
        rest[5:10] = current.many, *(*current.faults, 0, 0, 0, 0)[:MAX_FAULTS]
        REST.pack_into(ring.buffer, at + REST_AT, *rest)
        DOUBLE.pack_into(ring.buffer, at + DELAYED_AT, current.delayed)
