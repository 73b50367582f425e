"""Bounds of what one answer of the journal holds."""

import pytest

from answerback.core.plan import JournalBounds
from answerback.shared.counters import CounterLayout
from answerback.supervisor.journal.exchanges import Names
from answerback.supervisor.journal.journal import PAGE_BYTES, _bounded
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
