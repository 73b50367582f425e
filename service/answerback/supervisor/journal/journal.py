"""The journal: list, wait, verify, watch, clear."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from answerback.language.rules import rule_key
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.journal.layout import Kind, State
from answerback.shared.journal.records import EVENTS, Record
from answerback.supervisor.journal.evidence import Expected, Missing, Outcome, missing
from answerback.supervisor.journal.exchanges import Event, Exchange, Names
from answerback.supervisor.journal.filters import Condition, Filter, Query
from answerback.supervisor.journal.following import Follower
from answerback.supervisor.journal.marks import JournalClock
from answerback.supervisor.journal.reading import Cursors, MergedRings
from answerback.v1 import config_pb2 as v1

# Rule: nothing that was read is kept: each call reads the shared memory again, bounded by count and bytes.

POLL_SECONDS: Final = 0.02  # between two looks of a watch or a wait
IN_PROGRESS_SECONDS: Final = 0.2  # after which a watch also sends what is not complete
PAGE_BYTES: Final = 2 << 20  # of bodies; gRPC's clients take messages of 4 MiB
MAX_FOUND: Final = 100  # exchanges that a wait returns
MAX_SHOWN: Final = 10  # exchanges that a verification returns
MAX_NEAREST: Final = 5


@dataclass(frozen=True, slots=True)
class Nearest:
    """An exchange that does not match, and why."""

    exchange: Exchange
    why: str


@dataclass(frozen=True, slots=True)
class Waited:
    """The result of a wait."""

    fulfilled: bool
    found: int
    exchanges: Sequence[Exchange]
    nearest: Sequence[Nearest]


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of a verification."""

    outcome: Outcome
    text: str
    found: int
    exchanges: Sequence[Exchange]
    nearest: Sequence[Nearest] = ()
    missing: Sequence[Missing] = ()
    unused: Sequence[str] = ()


@dataclass(slots=True)
class _Near:
    """The newest records that do not match, those that agree longest first."""

    wanted: Filter
    kept: list[tuple[int, int, Record, str]] = field(default_factory=list)
    _count: int = 0

    def consider(self, record: Record) -> None:
        """Keep a record if it is nearer than others."""
        mismatch = self.wanted.why_not(record)
        if mismatch is None:
            return
        self._count += 1
        self.kept.append((-1 if mismatch.at is None else mismatch.at, self._count, record, mismatch.why))
        if len(self.kept) > 8 * MAX_NEAREST:
            self._cut()

    def _cut(self) -> None:
        self.kept.sort(key=lambda each: each[:2], reverse=True)
        del self.kept[MAX_NEAREST:]

    def found(self, named: Callable[[Record], Exchange]) -> list[Nearest]:
        """Return them, the nearest first."""
        self._cut()
        return [Nearest(named(record), why) for _, _, record, why in self.kept]


class Journal:
    """Reads the journal of all workers."""

    def __init__(
        self,
        counters: SharedCounters,
        layout: CounterLayout,
        instance: str,
        *,
        alive: Callable[[], Iterable[int]],
        config: Callable[[], v1.Config],
    ) -> None:
        """`alive`: the ids of the workers' processes. `config`: the active configuration."""
        self._counters = counters
        self._alive = alive
        self._config = config
        self._rings = MergedRings(counters)
        self._event_rings = MergedRings(counters, EVENTS)
        self.names = Names(layout)
        self.clock = JournalClock(instance)

    def filter(self, query: Query, path: str = "filter") -> Filter:
        """Compile a query. Raises InvalidConfig, NoSuchName."""
        return Filter(query, self.names, frozenset(self._alive()), path)

    def named(self, record: Record) -> Exchange:
        """Return a record as an exchange."""
        return self.names.exchange(record, frozenset(self._alive()))

    async def page(self, wanted: Filter, size: int, cursors: Cursors) -> tuple[list[Exchange], Cursors | None]:
        """Return the oldest exchanges behind the cursors, and new cursors unless these are all. Raises Moving."""
        found: list[Exchange] = []
        at = dict(cursors)
        room = PAGE_BYTES
        async for record in self._rings.records(cursors):
            if wanted.matches(record):
                room -= _size(record)
                if len(found) == size or (found and room < 0):
                    return found, at
                found.append(self.named(record))
            at[record.region] = record.sequence, record.index
        return found, None

    async def newest(self, wanted: Filter, size: int) -> list[Exchange]:
        """Return the newest exchanges, oldest first. Raises Moving."""
        found: deque[Record] = deque(maxlen=size)
        room = PAGE_BYTES
        async for record in self._rings.records():
            if wanted.matches(record):
                if len(found) == size:
                    room += _size(found[0])
                found.append(record)
                room -= _size(record)
                while room < 0 and len(found) > 1:
                    room += _size(found.popleft())
        return [self.named(record) for record in found]

    async def events(self, wanted: Filter, size: int) -> list[Event]:
        """Return the newest events, oldest first; only listener, connection, peer and time count. Raises Moving."""
        found: deque[Record] = deque(maxlen=size)
        async for record in self._event_rings.records():
            if wanted.fits(record):
                found.append(record)
        return [self.names.event(record) for record in found]

    async def wait(self, wanted: Filter, count: int, within: float) -> Waited:
        """Wait until this many exchanges match, for at most `within` seconds. Raises Moving."""
        until = monotonic() + within
        follower = self._follow()
        found: dict[tuple[int, int, int], Record] = {}
        near = _Near(wanted)

        def consider(record: Record) -> None:
            if wanted.matches(record):
                found[record.region, record.sequence, record.index] = (
                    record if len(found) < MAX_FOUND else _bare(record)
                )
            else:
                near.consider(record)

        async for record in self._rings.records():
            consider(record)
            follower.await_completion(record)
        while len(found) < count and monotonic() < until:
            await asyncio.sleep(min(POLL_SECONDS, max(0.0, until - monotonic())))
            seen = follower.look()
            for record in seen.appended:
                consider(record)
            if wanted.follows_state:
                for record in seen.completed:
                    consider(record)
        if len(found) < count and wanted.follows_state and follower.missed_completions:
            near = _Near(wanted)
            async for record in self._rings.records():
                consider(record)
        shown = [self.named(record) for record in list(found.values())[:MAX_FOUND]]
        fulfilled = len(found) >= count
        return Waited(fulfilled, len(found), _bounded(shown), () if fulfilled else near.found(self.named))

    async def verify(
        self,
        wanted: Filter,
        expected: Expected,
        in_order: Sequence[v1.Match] = (),
        *,
        all_rules_used: bool = False,
    ) -> Verified:
        """Compare what is in the journal with an expectation. Raises InvalidConfig, Moving."""
        conditions = [Condition.compile(match, f"in_order[{index}]") for index, match in enumerate(in_order)]
        found, shown = 0, list[Record]()
        near = _Near(wanted)
        reached = 0
        async for record in self._rings.records():
            if not wanted.matches(record):
                near.consider(record)
                continue
            found += 1
            if len(shown) < MAX_SHOWN:
                shown.append(record)
            if reached < len(conditions) and conditions[reached].matcher(record.request, wanted.context(record)):
                reached += 1
        gone = self.missing(wanted)
        if conditions:
            outcome, text = _in_order(reached, len(conditions), complete=not gone)
        else:
            outcome = expected.judge(found, complete=not gone)
            text = f"expected {expected}, found {found}"
        unused = self._unused(wanted.query.listener) if all_rules_used else []
        if unused:
            outcome, text = Outcome.FAILS, f"{text}; rules that have not matched: {', '.join(unused)}"
        if outcome is Outcome.UNKNOWN:
            text = f"{text}, but {'; '.join(map(str, gone))}"
        return Verified(
            outcome,
            text,
            found,
            _bounded([self.named(record) for record in shown]),
            () if outcome is Outcome.HOLDS else near.found(self.named),
            gone if outcome is Outcome.UNKNOWN else (),
            unused,
        )

    def missing(self, wanted: Filter) -> list[Missing]:
        """Return what was dropped of the listeners of a filter since its mark."""
        listener = wanted.query.listener
        blocks = self.names.blocks()
        chosen = {listener: blocks[listener]} if listener else blocks
        return list(missing(self._counters, self._rings.readers, chosen, wanted.query.since))

    async def watch(self, wanted: Filter, *, events: bool) -> AsyncGenerator[Exchange | Event | int, None]:
        """Yield exchanges as they are completed, events if asked for, and how many exchanges were lost (an int)."""
        follower = self._follow()
        others = Follower(self._counters, self._event_rings, None) if events else None
        yield 0  # it has begun
        while True:
            seen = follower.look()
            if seen.lost:
                yield seen.lost
            done = (record for record in seen.appended if record.state != State.IN_PROGRESS)
            for record in (*done, *seen.completed, *follower.stale(IN_PROGRESS_SECONDS)):
                if wanted.matches(record):
                    yield self.named(record)
            if others is not None:
                for record in others.look().appended:
                    if wanted.fits(record):
                        yield self.names.event(record)
            if not seen.appended:
                await asyncio.sleep(POLL_SECONDS)

    def _follow(self) -> Follower:
        return Follower(self._counters, self._rings, self.names.blocks)

    def _unused(self, listener: str) -> list[str]:
        """Return the rules on requests that have never matched."""
        keys = (
            (each.name, rule_key(rule, index))
            for each in self._config().listeners
            if listener in ("", each.name)
            for index, rule in enumerate(each.rules)
            if rule.event in (v1.EVENT_UNSPECIFIED, v1.EVENT_REQUEST)
        )
        regions = [self._counters.region(region) for region in range(self._counters.slots)]
        cells = ((of, rule, self.names.cell(of, rule)) for of, rule in keys)
        return [f"{of}/{rule}" for of, rule, cell in cells if cell is None or not any(each[cell] for each in regions)]


def _in_order(reached: int, number: int, *, complete: bool) -> tuple[Outcome, str]:
    text = f"expected {number} exchanges in this order, found the first {reached}"
    if reached == number:
        return Outcome.HOLDS, text
    return Outcome.FAILS if complete else Outcome.UNKNOWN, text


def _size(record: Record) -> int:
    return len(record.request) + len(record.reply) + 200


def _bare(record: Record) -> Record:
    """Return a record that is only counted."""
    return Record(
        record.region, record.sequence, record.index, Kind.EXCHANGE, record.connection, record.time, record.state,
        record.number, record.rule, b"", 0, b"", 0,
    )  # fmt: skip


def _bounded(exchanges: list[Exchange]) -> list[Exchange]:
    """Return the first of them, as many as a message holds."""
    room = PAGE_BYTES
    for index, exchange in enumerate(exchanges):
        room -= _size(exchange.record)
        if room < 0 and index:
            return exchanges[:index]
    return exchanges
