"""The journal: list, wait, verify, watch, clear."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from answerback.concurrency.turns import LOOK_EVERY, Turns
from answerback.language.rules import rule_key
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.journal.layout import State
from answerback.shared.journal.records import Record
from answerback.shared.journal.ring_reader import EVENTS
from answerback.supervisor.journal.answers import PAGE_BYTES, Near, Nearest, Newest, bounded, message_size
from answerback.supervisor.journal.evidence import Expected, Missing, Outcome, missing
from answerback.supervisor.journal.exchanges import Event, Exchange, Names
from answerback.supervisor.journal.filters import Condition, Filter, Query
from answerback.supervisor.journal.following import Follower, LaterEvents
from answerback.supervisor.journal.in_progress import InProgress, Pending
from answerback.supervisor.journal.marks import JournalClock
from answerback.supervisor.journal.reading import Cursors, MergedRings
from answerback.supervisor.journal.waits import POLL_SECONDS, Waited, Waits
from answerback.v1 import config_pb2 as v1

# Rule: nothing that was read is kept: each call reads the shared memory again, bounded by count and bytes.

IN_PROGRESS_SECONDS: Final = 0.2  # after which a watch also sends what is not complete
MAX_SHOWN: Final = 10  # exchanges that a verification returns


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
        self.turns = Turns()
        """Whatever takes long for the journal is done in these."""
        self._rings = MergedRings(counters, self.turns)
        self._event_rings = MergedRings(counters, self.turns, EVENTS)
        self._in_progress = InProgress(self._rings.readers)
        self._waits = Waits(lambda: Follower(counters, self._rings, None), self._rings, self._in_progress, self.turns)
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
                room -= message_size(record)
                if len(found) == size or (found and room < 0):
                    return found, at
                found.append(self.named(record))
            at[record.region] = record.sequence, record.index
        return found, None

    async def newest(self, wanted: Filter, size: int) -> list[Exchange]:
        """Return the newest exchanges, oldest first. Raises Moving."""
        found = Newest(size)
        async for record in self._rings.records():
            if wanted.matches(record):
                found.add(record)
        return [self.named(record) async for record in self.turns.each(found.records)]

    async def events(self, wanted: Filter, size: int) -> list[Event]:
        """Return the newest events, oldest first; only listener, connection, peer and time count. Raises Moving."""
        found = Newest(size)
        async for record in self._event_rings.records():
            if wanted.fits(record):
                found.add(record)
        return [self.names.event(record) async for record in self.turns.each(found.records)]

    async def wait(self, wanted: Filter, count: int, within: float) -> Waited:
        """Wait until this many exchanges match, for at most `within` seconds. Raises Moving."""
        return await self._waits.wait(wanted, count, within, self.named)

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
        near = Near(wanted)
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
            bounded([self.named(record) for record in shown]),
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
        follower = Follower(self._counters, self._rings, self.names.blocks)
        others = LaterEvents(Follower(self._counters, self._event_rings, None)) if events else None
        yield 0  # it has begun
        with closing(Pending(self._in_progress)) as pending:
            while True:
                await self.turns.next()
                if others is not None:
                    others.look()
                seen = follower.look()
                if seen.lost:
                    yield seen.lost
                for number, record in enumerate(_shown(seen.appended, pending), 1):
                    if wanted.matches(record):
                        yield self.named(record)
                    if not number % LOOK_EVERY and self.turns.over():
                        await self.turns.next()
                for record in () if others is None else others.after(pending.looked):
                    if wanted.fits(record):
                        yield self.names.event(record)
                if not (seen.more or (others is not None and others.more)):
                    await asyncio.sleep(POLL_SECONDS)

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


def _shown(appended: Sequence[Record], pending: Pending) -> Iterator[Record]:
    """Yield the records that are complete, or have been in progress for long."""
    for record in appended:
        if record.state != State.IN_PROGRESS:
            yield record
        else:
            pending.await_completion(record)
    yield from pending.completed()
    yield from pending.stale(IN_PROGRESS_SECONDS)
