"""Regions merged, compared with a sort of everything."""

import random
from itertools import groupby
from operator import attrgetter

import pytest

from answerback.concurrency.scheduling import Core
from answerback.concurrency.turns import LOOK_EVERY, Turns
from answerback.core.plan import JournalBounds
from answerback.shared.counters import SharedCounters
from answerback.shared.journal.layout import CONNECTION, Kind, State
from answerback.shared.journal.records import Record
from answerback.shared.journal.region import JournalRegion, run_payload
from answerback.shared.journal.ring_shape import AT_ONCE
from answerback.supervisor.journal.reading import Cursors, MergedRings

REGIONS = 4
KEY = CONNECTION.pack(7, 0, 1, 4000, 0, b"192.0.2.1")


def written(chance: random.Random, steps: tuple[float, ...]) -> SharedCounters:
    """Regions with some hundred records each; their times grow by any of these steps."""
    counters = SharedCounters.create(REGIONS)
    for number in range(REGIONS):
        region = JournalRegion(counters.journal, number, counters.region(number))
        region.configure(JournalBounds(entries=2000, bytes=1 << 20))
        ring, now = region.exchanges, 1000.0
        for _ in range(chance.choice((0, 1, 64, 300))):
            now += chance.choice(steps)
            count = chance.choice((1, 1, 3))
            payload = ring.store(run_payload([(b"PING", 4)] * count, 0, b"", 0, b""))
            ring.append(KEY, now, state=State.DONE, kind=Kind.RUN, number=1, payload=payload, count=count)
    return counters


async def read(counters: SharedCounters, cursors: Cursors | None = None) -> list[Record]:
    return [record async for record in MergedRings(counters, Turns()).records(cursors)]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("steps", [(0.0, 1.0, 5.0), (0.0,), (0.0, 0.0, 0.0, 100.0)])
async def test_records_are_in_the_order_of_time_and_worker_and_none_is_missing(
    seed: int, steps: tuple[float, ...]
) -> None:
    counters = written(random.Random(seed), steps)
    found = await read(counters)
    everything = [
        record for reader in MergedRings(counters, Turns()).readers for chunk in reader.read() for record in chunk
    ]
    assert [record.place for record in found] == [
        record.place for record in sorted(everything, key=attrgetter("position"))
    ]


@pytest.mark.parametrize("seed", range(5))
async def test_reading_continues_behind_any_record(seed: int) -> None:
    chance = random.Random(seed)
    counters = written(chance, (0.0, 1.0))
    found = await read(counters)
    for _ in range(20):
        cut = chance.randrange(len(found) + 1)
        cursors = {record.region: (record.sequence, record.index) for record in found[:cut]}
        assert await read(counters, cursors) == found[cut:]


async def test_records_of_a_worker_keep_their_order_whatever_their_times() -> None:
    counters = written(random.Random(3), (1.0, -2.0, 3.0))
    found = await read(counters)
    for _, records in groupby(sorted(found, key=attrgetter("region")), attrgetter("region")):
        places = [record.place for record in records]
        assert places == sorted(places)
    assert len(found) > 300


async def test_core_is_offered_whenever_some_records_were_read_or_yielded(monkeypatch: pytest.MonkeyPatch) -> None:
    offered, found = list[int](), list[Record]()
    monkeypatch.setattr(Core, "offer", lambda _: offered.append(len(found)))
    async for record in MergedRings(written(random.Random(1), (0.0, 1.0)), Turns()).records():
        found.append(record)
    assert len(found) > 500
    yielded = offered.count
    assert all(yielded(number) for number in range(LOOK_EVERY, len(found), LOOK_EVERY))
    # One read yields AT_ONCE records, those of one more run at the most.
    assert len(found) / (AT_ONCE + 3) < len(offered) - len(found) // LOOK_EVERY < len(found) / AT_ONCE + 2 * REGIONS
