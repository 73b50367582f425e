"""Waiting for exchanges, and bounds of what one answer of the journal holds."""

import asyncio

import pytest

from answerback.core.plan import JournalBounds
from answerback.shared.counters import CounterLayout
from answerback.shared.journal.layout import State
from answerback.supervisor.journal import following
from answerback.supervisor.journal.exchanges import Names
from answerback.supervisor.journal.filters import Query
from answerback.supervisor.journal.journal import PAGE_BYTES, Journal, Waited, _bounded
from answerback.v1 import config_pb2 as v1
from tests.shared.journal_writing import Writing


@pytest.mark.parametrize("body, whole", [(PAGE_BYTES // 4, 3), (PAGE_BYTES // 2 - 200, 2), (PAGE_BYTES, 1)])
def test_answer_holds_as_many_exchanges_as_a_message_has_room_for(body: int, whole: int) -> None:
    writing = Writing(JournalBounds(entries=40, bytes=32 << 20, body_bytes=PAGE_BYTES))
    for _ in range(5):
        writing.exchange(bytes(body))
    names = Names(CounterLayout())
    exchanges = [names.exchange(record, frozenset()) for record in writing.kept()]
    assert len(exchanges) == 5
    assert _bounded(exchanges) == exchanges[:whole]


@pytest.mark.parametrize("looked_at_again", [1000, 2])
async def test_wait_sees_completions_of_exchanges_that_were_there_before(
    monkeypatch: pytest.MonkeyPatch, looked_at_again: int
) -> None:
    monkeypatch.setattr(following, "MAX_PENDING", looked_at_again)
    writing = Writing()
    journal = Journal(writing.counters, CounterLayout(), "it", alive=lambda: [7], config=v1.Config)
    sequences = [writing.exchange(b"%d" % number) for number in range(4)]

    async def wait(count: int, seconds: float) -> Waited:
        return await journal.wait(journal.filter(Query(state=State.DONE)), count, seconds)

    waiting = asyncio.create_task(wait(3, 60 if looked_at_again > 4 else 0.1))
    await asyncio.sleep(0)  # it has read what there is
    for sequence in sequences[1:]:
        writing.region.exchanges.complete(sequence, 3.0, State.DONE)
    waited = await waiting
    assert (waited.fulfilled, [each.record.request for each in waited.exchanges]) == (True, [b"1", b"2", b"3"])
