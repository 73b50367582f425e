"""A follower sees each record once, again when it is complete, and knows how many it has missed."""

import pytest

from answerback.core.plan import JournalBounds
from answerback.shared.journal.layout import State
from answerback.shared.journal.records import RingReader
from answerback.supervisor.journal.following import Follower
from answerback.supervisor.journal.reading import MergedRings
from tests.shared.journal_writing import BLOCK, Writing


@pytest.fixture
def writing() -> Writing:
    return Writing(JournalBounds(entries=40, bytes=1 << 20))


def follow(writing: Writing) -> Follower:
    return Follower(writing.counters, MergedRings(writing.counters), lambda: {"it": BLOCK})


def test_follower_sees_each_record_once_and_again_when_it_is_complete(writing: Writing) -> None:
    writing.exchange(b"before")
    follower = follow(writing)
    assert follower.look().appended == []
    sequence = writing.exchange(b"new")
    assert [record.request for record in follower.look().appended] == [b"new"]
    assert (follower.look().appended, follower.look().completed) == ([], [])
    writing.region.exchanges.complete(sequence, 3.0, State.DONE)
    assert [record.request for record in follower.look().completed] == [b"new"]
    assert follower.look().completed == []


@pytest.mark.parametrize("before", [0, 30, 45])
def test_follower_counts_what_was_dropped_before_it_looked(writing: Writing, before: int) -> None:
    for _ in range(before):
        writing.exchange(b"")
    follower = follow(writing)
    writing.exchange(b"")
    assert follower.look().lost == 0
    for _ in range(50):
        writing.exchange(b"")
    seen = follower.look()
    assert (len(seen.appended), seen.lost) == (40, 10)
    writing.exchange(b"")
    assert follower.look().lost == 0


def test_follower_in_time_does_not_count_the_rings(writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = follow(writing)

    def count(_: RingReader) -> None:
        raise AssertionError("counted, which takes long")

    monkeypatch.setattr(RingReader, "counts", count)
    for number in range(3):
        writing.exchange(b"%d" % number)
        assert [record.request for record in follower.look().appended] == [b"%d" % number]
