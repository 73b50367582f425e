"""Waiting for exchanges, and bounds of what one answer of the journal holds."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from answerback.core.plan import JournalBounds
from answerback.shared.counters import CounterLayout
from answerback.shared.journal.layout import Kind, State
from answerback.supervisor.journal import in_progress
from answerback.supervisor.journal.answers import PAGE_BYTES, bounded
from answerback.supervisor.journal.exchanges import Names
from answerback.supervisor.journal.filters import Query
from answerback.supervisor.journal.following import LOOK_RECORDS, Follower, Seen
from answerback.supervisor.journal.journal import Journal
from answerback.supervisor.journal.waits import POLL_SECONDS, Waited
from answerback.v1 import config_pb2 as v1
from tests.shared.journal_writing import Writing
from tests.supervisor.supervising import until


def journal_of(writing: Writing) -> Journal:
    return Journal(writing.counters, CounterLayout(), "it", alive=lambda: [7], config=v1.Config)


@pytest.mark.parametrize("body, whole", [(PAGE_BYTES // 4, 3), (PAGE_BYTES // 2 - 200, 2), (PAGE_BYTES, 1)])
def test_answer_holds_as_many_exchanges_as_a_message_has_room_for(body: int, whole: int) -> None:
    writing = Writing(JournalBounds(entries=40, bytes=32 << 20, body_bytes=PAGE_BYTES))
    for _ in range(5):
        writing.exchange(bytes(body))
    names = Names(CounterLayout())
    exchanges = [names.exchange(record, frozenset()) for record in writing.kept()]
    assert len(exchanges) == 5
    assert bounded(exchanges) == exchanges[:whole]


@pytest.mark.parametrize("looked_at_again", [1000, 2])
async def test_wait_sees_completions_of_exchanges_that_were_there_before(
    monkeypatch: pytest.MonkeyPatch, looked_at_again: int
) -> None:
    monkeypatch.setattr(in_progress, "MAX_PENDING", looked_at_again)
    writing = Writing()
    journal = journal_of(writing)
    sequences = [writing.exchange(b"%d" % number) for number in range(4)]

    async def wait(count: int, seconds: float) -> Waited:
        return await journal.wait(journal.filter(Query(state=State.DONE)), count, seconds)

    waiting = asyncio.create_task(wait(3, 60 if looked_at_again > 4 else 0.1))
    await asyncio.sleep(0)  # it has read what there is
    for sequence in sequences[1:]:
        writing.region.exchanges.complete(sequence, 3.0, State.DONE)
    waited = await waiting
    assert (waited.fulfilled, [each.record.request for each in waited.exchanges]) == (True, [b"1", b"2", b"3"])


class Ticking:
    """Counts the looks of followers, which always find something new, and gives the event loop a turn between two."""

    def __init__(self, writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = 0
        self._looks_before = 0
        look = Follower.look

        def count(follower: Follower) -> Seen:
            for _ in range(LOOK_RECORDS):
                writing.exchange(b"")
            self.looks += 1
            assert self.looks - self._looks_before <= 2, "the event loop had no turn between looks"
            return look(follower)

        monkeypatch.setattr(Follower, "look", count)

    async def tick(self, looks: int, task: asyncio.Task[Any]) -> None:
        """Wait until it has looked this often, and end it."""
        while self.looks < looks and not task.done():
            self._looks_before = self.looks
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()


async def test_watch_whose_filter_matches_nothing_gives_way_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    writing = Writing(JournalBounds(entries=1000, bytes=8 << 20))
    journal = journal_of(writing)
    watch = journal.watch(journal.filter(Query(unmatched=True, id="none")), events=False)
    assert await anext(watch) == 0
    ticking = Ticking(writing, monkeypatch)

    async def watching() -> None:
        async for _ in watch:
            pytest.fail("nothing matches")

    await ticking.tick(20, asyncio.create_task(watching()))


async def test_wait_whose_filter_matches_nothing_gives_way_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    writing = Writing(JournalBounds(entries=1000, bytes=8 << 20))
    journal = journal_of(writing)
    ticking = Ticking(writing, monkeypatch)
    await ticking.tick(20, asyncio.create_task(journal.wait(journal.filter(Query(id="none")), 1, 60.0)))


async def test_hundred_waits_look_at_the_journal_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    writing = Writing()
    journal = journal_of(writing)
    looks, some = 0, asyncio.Event()
    look = Follower.look

    def count(follower: Follower) -> Seen:
        nonlocal looks
        looks += 1
        if looks == 5:
            some.set()
        return look(follower)

    monkeypatch.setattr(Follower, "look", count)
    began = asyncio.get_running_loop().time()
    waits = [asyncio.create_task(journal.wait(journal.filter(Query(id="0.1.0")), 1, 60.0)) for _ in range(100)]
    await some.wait()
    writing.exchange(b"it")
    assert all(waited.fulfilled for waited in await asyncio.gather(*waits))
    assert looks <= (asyncio.get_running_loop().time() - began) / POLL_SECONDS + 1


async def test_waits_one_after_the_other_each_see_what_comes() -> None:
    writing = Writing()
    journal = journal_of(writing)
    for number in range(1, 4):
        wait = asyncio.create_task(journal.wait(journal.filter(Query(id=f"0.{number}.0")), 1, 60.0))
        await asyncio.sleep(0)
        writing.exchange(b"")
        assert (await wait).fulfilled
        if number == 2:
            await until(lambda: journal._waits._looking is None)  # the follower has ended


async def test_failure_of_the_follower_ends_all_waits_with_it_and_later_ones_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writing = Writing()
    journal = journal_of(writing)
    with monkeypatch.context() as broken:
        broken.setattr(Follower, "look", lambda _: 1 // 0)
        waits = [journal.wait(journal.filter(Query(id="0.1.0")), 1, 60.0) for _ in range(2)]
        results = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError, ZeroDivisionError]
    later = asyncio.create_task(journal.wait(journal.filter(Query(id="0.1.0")), 1, 60.0))
    await asyncio.sleep(0)
    writing.exchange(b"")
    assert (await later).fulfilled


async def test_wait_that_sees_a_record_twice_shows_it_once_among_the_nearest() -> None:
    writing = Writing()
    journal = journal_of(writing)
    match = v1.Match(equals=v1.Literal(text="PING"))
    wait = asyncio.create_task(journal.wait(journal.filter(Query(match=match)), 1, 5 * POLL_SECONDS))
    await asyncio.sleep(0)  # it follows, and has not read what there is
    writing.exchange(b"PINK")
    assert [each.exchange.record.request for each in (await wait).nearest] == [b"PINK"]


async def test_events_in_one_answer_are_as_many_as_a_message_has_room_for() -> None:
    writing = Writing(JournalBounds(entries=40, bytes=128 << 20, body_bytes=PAGE_BYTES))
    ring = writing.region.events
    for number in range(5):
        payload = ring.store(bytes(PAGE_BYTES // 2 - 200))
        rest = (0, 0, payload, PAGE_BYTES // 2 - 200, PAGE_BYTES // 2 - 200, 0, 0, 0, 0, 0, 0, 0, 0)
        ring.append(b"", 1.0, state=State.DONE, kind=Kind.EVENT, number=number, payload=payload, rest=rest)
    journal = journal_of(writing)
    assert [each.record.number for each in await journal.events(journal.filter(Query()), 10)] == [3, 4]
