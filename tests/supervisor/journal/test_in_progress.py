"""Records in progress are seen again once by all that wait for them, and looked at once for all."""

from collections.abc import Callable, Iterable

import pytest

from answerback.shared.journal.layout import State
from answerback.shared.journal.ring_reader import RingReader
from answerback.supervisor.journal import in_progress
from answerback.supervisor.journal.in_progress import InProgress, Pending
from tests.shared.journal_writing import Writing

Look = Callable[[Pending], list[bytes]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_progress, "LOOK_SECONDS", 0.0)


def completed(pending: Pending) -> list[bytes]:
    return [record.request for record in pending.completed()]


def test_record_is_seen_once_when_it_is_complete_by_all_that_wait_for_it() -> None:
    writing = Writing()
    shared = InProgress([writing.reader])
    waiting = [Pending(shared), Pending(shared)]
    first, second = writing.exchange(b"first"), writing.exchange(b"second")
    for pending in waiting:
        for record in writing.kept():
            pending.await_completion(record)
            pending.await_completion(record)
        assert completed(pending) == []
    for sequence, body in ((second, b"second"), (first, b"first")):
        writing.region.exchanges.complete(sequence, 3.0, State.DONE)
        assert [completed(pending) for pending in waiting] == [[body], [body]]
    assert [completed(pending) for pending in waiting] == [[], []]


def test_record_that_is_dropped_is_not_waited_for_any_more() -> None:
    writing = Writing()
    shared = InProgress([writing.reader])
    pending = Pending(shared)
    writing.exchange(b"first")
    pending.await_completion(writing.kept()[0])
    writing.region.clear(None, 2.0)
    assert completed(pending) == []
    assert len(shared) == 0


def test_closed_one_waits_for_nothing() -> None:
    writing = Writing()
    shared = InProgress([writing.reader])
    closed, other = Pending(shared), Pending(shared)
    sequence = writing.exchange(b"first")
    (record,) = writing.kept()
    closed.await_completion(record)
    other.await_completion(record)
    closed.close()
    closed.await_completion(record)
    writing.region.exchanges.complete(sequence, 3.0, State.DONE)
    assert (completed(closed), completed(other)) == ([], [b"first"])
    other.await_completion(record)
    other.close()
    assert len(shared) == 0


def test_record_that_is_stale_is_seen_once_before_it_is_complete() -> None:
    writing = Writing()
    pending = Pending(InProgress([writing.reader]))
    writing.exchange(b"first")
    pending.await_completion(writing.kept()[0])
    assert list(pending.stale(3600)) == []
    assert [record.request for record in pending.stale(0)] == [b"first"]
    assert list(pending.stale(0)) == []


@pytest.mark.parametrize("most_of_one, most_of_all", [(3, 100), (100, 3)])
def test_more_records_than_are_looked_at_again_are_noticed(
    monkeypatch: pytest.MonkeyPatch, most_of_one: int, most_of_all: int
) -> None:
    monkeypatch.setattr(in_progress, "MAX_PENDING", most_of_one)
    monkeypatch.setattr(in_progress, "MAX_OF_ALL", most_of_all)
    writing = Writing()
    pending = Pending(InProgress([writing.reader]))
    for number in range(4):
        assert not pending.missed
        writing.exchange(b"%d" % number)
        pending.await_completion(writing.kept()[-1])
    assert pending.missed


def test_look_costs_what_is_in_progress_however_many_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    writing = Writing()
    shared = InProgress([writing.reader])
    waiting = [Pending(shared) for _ in range(100)]
    for _ in range(30):
        writing.exchange(b"")
    for pending in waiting:
        for record in writing.kept():
            pending.await_completion(record)
    monkeypatch.setattr(in_progress, "LOOK_SECONDS", 3600.0)
    looked_at = list[int]()
    finished = RingReader.finished

    def count(self: RingReader, sequences: Iterable[int]) -> list[int]:
        looked_at.extend(sequences)
        return finished(self, looked_at)

    monkeypatch.setattr(RingReader, "finished", count)
    for pending in waiting:
        assert completed(pending) == []
    assert len(looked_at) == 30
