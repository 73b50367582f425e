"""A follower sees each record once, and knows how many it has missed."""

from time import monotonic

import pytest

from answerback.concurrency.turns import Turns
from answerback.core.plan import JournalBounds
from answerback.shared.journal.ring_reader import RingReader
from answerback.shared.journal.ring_shape import AT_ONCE_BYTES
from answerback.supervisor.journal.following import LOOK_RECORDS, Follower, LaterEvents
from answerback.supervisor.journal.reading import MergedRings
from tests.shared.journal_writing import BLOCK, OTHER, Writing


@pytest.fixture
def writing() -> Writing:
    return Writing(JournalBounds(entries=40, bytes=1 << 20))


def follow(writing: Writing) -> Follower:
    return Follower(writing.counters, MergedRings(writing.counters, Turns()), lambda: {"it": BLOCK})


def test_follower_sees_each_record_once(writing: Writing) -> None:
    writing.exchange(b"before")
    follower = follow(writing)
    assert follower.look().appended == []
    writing.exchange(b"new")
    assert [record.request for record in follower.look().appended] == [b"new"]
    assert follower.look().appended == []


@pytest.mark.parametrize("lost", [1, 10])
@pytest.mark.parametrize("before", [0, 30, 45])
def test_follower_counts_what_was_dropped_before_it_looked(writing: Writing, before: int, lost: int) -> None:
    for _ in range(before):
        writing.exchange(b"")
    follower = follow(writing)
    writing.exchange(b"")
    assert follower.look().lost == 0
    for _ in range(40 + lost):
        writing.exchange(b"")
    seen = follower.look()
    assert (len(seen.appended), seen.lost) == (40, lost)
    writing.exchange(b"")
    assert follower.look().lost == 0


def test_follower_counts_what_was_lost_without_counting_the_rings(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        writing.exchange(b"")
    follower = follow(writing)

    def count(*_: object) -> None:
        raise AssertionError("counted, which takes long")

    monkeypatch.setattr(RingReader, "counts", count)
    with monkeypatch.context() as nothing_lost:
        nothing_lost.setattr(RingReader, "entries", count)
        for number in range(3):
            writing.exchange(b"%d" % number)
            assert [record.request for record in follower.look().appended] == [b"%d" % number]
    for _ in range(60):
        writing.exchange(b"")
    assert follower.look().lost == 20


def test_follower_never_counts_less_than_none_lost_after_a_listener_is_gone(writing: Writing) -> None:
    """What was dropped of that listener is not known any more."""
    blocks = {"it": BLOCK, "other": OTHER}
    for _ in range(60):
        writing.exchange(b"", listener=OTHER)
    follower = Follower(writing.counters, MergedRings(writing.counters, Turns()), lambda: blocks)
    del blocks["other"]
    for _ in range(45):
        writing.exchange(b"")
    assert follower.look().lost == 0


def test_entries_that_were_cleared_before_they_were_seen_are_lost_and_others_are_seen(writing: Writing) -> None:
    writing.exchange(b"old")
    follower = follow(writing)
    for listener in (BLOCK, OTHER, BLOCK):
        writing.exchange(b"%d" % listener, listener=listener)
    writing.region.clear(OTHER, 2.0)
    assert [record.listener for record in follower.look().appended] == [BLOCK, BLOCK]
    writing.region.clear(None, 2.0)
    assert (follower.look().appended, follower.look().lost) == ([], 0)
    writing.exchange(b"new")
    assert [record.request for record in follower.look().appended] == [b"new"]


@pytest.mark.parametrize("body, most", [(0, LOOK_RECORDS), (AT_ONCE_BYTES // 2, 2)])
def test_one_look_reads_a_bounded_number_of_records_and_says_that_there_are_more(body: int, most: int) -> None:
    writing = Writing(JournalBounds(entries=2 * LOOK_RECORDS, bytes=32 << 20, body_bytes=AT_ONCE_BYTES))
    follower = follow(writing)
    for _ in range(most + 1):
        writing.exchange(bytes(body))
    first, second = follower.look(), follower.look()
    assert (len(first.appended), first.more) == (most, True)
    assert (len(second.appended), second.more, second.lost) == (1, False, 0)


def test_cleared_records_cost_a_reader_nothing_after_it_has_passed_them(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = follow(writing)
    for _ in range(30):
        writing.exchange(b"")
    writing.region.clear(BLOCK, 2.0)
    assert follower.look().appended == []
    monkeypatch.setattr(RingReader, "chunks", lambda *_: pytest.fail("read again"))
    assert follower.look().appended == []


def test_events_are_shown_once_after_what_was_complete_before_them(writing: Writing) -> None:
    events = LaterEvents(follow(writing))
    writing.exchange(b"first")
    events.look()
    assert events.after(monotonic() - 3600) == []
    writing.exchange(b"second")
    events.look()
    assert [record.request for record in events.after(monotonic())] == [b"first"]
    events.look()
    assert [record.request for record in events.after(monotonic())] == [b"second"]
    assert events.after(monotonic()) == []
