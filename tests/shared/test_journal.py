"""The journal's rings: what is kept, what is dropped, and what readers see meanwhile."""

import random
from collections import Counter
from typing import cast

import pytest

from answerback.core.actions import Action, CloseReason, HalfClose, Send
from answerback.core.plan import Event, JournalBounds, Rule
from answerback.core.recorder import Recorded
from answerback.core.session.forwarding import Forwarding
from answerback.shared.journal import ring_shape
from answerback.shared.journal.counts import count_unrecorded, entries
from answerback.shared.journal.layout import DROP, GENERATION, HEADER_BYTES, Kind, State
from answerback.shared.journal.listener_journal import MAX_CLIENTS, ListenerJournal
from answerback.shared.journal.records import ConnectionKey, Record
from answerback.shared.journal.region import JournalRegion
from answerback.shared.journal.ring_reader import EVENTS, Moving, RingReader
from answerback.shared.listener_counters import (
    JOURNAL_DROPPED_AT,
    REQUESTS,
    Dropped,
)
from tests.shared.journal_writing import BLOCK, OTHER, SMALL, Writing


@pytest.fixture
def writing() -> Writing:
    return Writing()


def test_record_is_read_as_it_was_written(writing: Writing) -> None:
    writing.exchange(b"PING", b"+PONG", time=12.5)
    (record,) = writing.kept()
    assert (record.request, record.reply, record.time, record.number) == (b"PING", b"+PONG", 12.5, 1)
    assert (record.key.id, record.key.peer, record.listener) == ("7-1", "192.0.2.1:4000", BLOCK)


def test_record_is_completed_in_place(writing: Writing) -> None:
    sequence = writing.exchange(b"PING")
    writing.region.exchanges.complete(sequence, 3.0, State.DONE)
    (record,) = writing.reader.at(sequence)
    assert (record.state, record.finished) == (State.DONE, 3.0)


def test_full_ring_drops_the_oldest_entries_and_counts_them(writing: Writing) -> None:
    for number in range(45):
        writing.exchange(b"%d" % number)
    assert writing.requests() == [b"%d" % number for number in range(5, 45)]
    assert writing.dropped() == 5


def test_number_of_entries_never_exceeds_the_bound(writing: Writing) -> None:
    for number in range(100):
        writing.exchange(b"%d" % number)
        assert len(writing.kept()) == min(number + 1, 40)


def test_dropped_entries_are_dated_by_the_newest_of_them(writing: Writing) -> None:
    for number in range(42):
        writing.exchange(b"", time=100.0 + number)
    assert writing.cells[BLOCK + JOURNAL_DROPPED_AT + Dropped.EVICTED] == 101 * 10**9


def test_completion_of_a_dropped_record_changes_nothing(writing: Writing) -> None:
    first = writing.exchange(b"first")
    for number in range(40):
        writing.exchange(b"%d" % number)
    before = writing.kept()
    writing.region.exchanges.complete(first, 9.0, State.ABANDONED)
    assert writing.kept() == before


def test_run_is_read_as_its_requests(writing: Writing) -> None:
    payload = writing.run(3)
    writing.run(3, payload)
    assert [(each.request, each.reply, each.rule, each.number) for each in writing.kept()] == [
        (b"PING", b"+PONG", 5, 1), (b"PING", b"+PONG", 5, 2), (b"PING", b"+PONG", 5, 3),
    ] * 2  # fmt: skip


def test_entries_of_runs_count_one_by_one(writing: Writing) -> None:
    for _ in range(10):
        writing.run(16)
    assert len(writing.kept()) == 32
    assert writing.dropped() == 128


def test_bodies_that_need_room_push_out_the_oldest_records() -> None:
    writing = Writing(JournalBounds(entries=1000, bytes=1 << 20))
    body = b"x" * 20_000
    for _ in range(100):
        writing.exchange(body)
    kept = writing.kept()
    assert len(kept) + writing.dropped() == 100
    assert 20 < len(kept) < 52  # of 1 MiB
    assert {record.request for record in kept} == {body}


def test_every_reading_is_whole_whatever_is_written() -> None:
    writing, chance, payload = Writing(JournalBounds(entries=300, bytes=1 << 20)), random.Random(1), -1
    for number in range(20_000):
        if chance.random() < 0.5:
            payload = writing.run(4, payload)
        else:
            writing.exchange(b"%d|" % (writing.recorded + 1) + b"x" * chance.choice((0, 10, 3000)), b"reply")
        if not number % 499:
            kept = writing.kept()
            assert len(kept) + writing.dropped() == writing.recorded
            assert sum(writing.reader.counts().values()) == len(kept) <= 300
            for record in kept:
                if record.kind == Kind.RUN:
                    assert (record.request, record.reply) == (b"PING", b"+PONG")
                else:
                    assert record.request.startswith(b"%d|" % record.number)
                    assert record.reply == b"reply"
        if not number % 2003:
            writing.region.configure(
                JournalBounds(chance.choice((10, 150, 300, 600)), chance.choice((1 << 18, 1 << 20)))
            )
            writing.region.configure(JournalBounds(entries=300, bytes=1 << 20))


def test_reader_that_is_overtaken_gets_no_torn_record(writing: Writing) -> None:
    for number in range(40):
        writing.exchange(b"%d" % number)
    reading = writing.reader.read()
    for number in range(40, 75):
        writing.exchange(b"%d" % number)
    assert [record.request for chunk in reading for record in chunk] == [b"%d" % number for number in range(35, 75)]


def test_record_that_is_dropped_while_it_is_read_is_left_out(writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        writing.exchange(b"%d" % number)
    read = ring_shape.RingShape.records

    def interrupted(shape: ring_shape.RingShape, sequence: int, runs: dict[int, ring_shape._Run]) -> list[Record]:
        found = list(read(shape, sequence, runs))
        if sequence == 1:
            for number in range(40, 50):
                writing.exchange(b"%d" % number)
        return found

    monkeypatch.setattr(ring_shape.RingShape, "records", interrupted)
    assert writing.requests() == [b"%d" % number for number in range(10, 40)]


def test_following_continues_behind_the_last_record(writing: Writing) -> None:
    first = writing.exchange(b"a")
    assert not writing.reader.grown(first)
    writing.exchange(b"b")
    assert writing.reader.grown(first)
    assert [record.request for record in writing.kept(first)] == [b"b"]


def test_successor_continues_the_ring_of_a_dead_worker(writing: Writing) -> None:
    for number in range(50):
        writing.exchange(b"%d" % number)
    writing.region = JournalRegion(writing.counters.journal, 0, writing.cells)
    writing.region.configure(SMALL)
    writing.exchange(b"next")
    assert writing.requests() == [*(b"%d" % number for number in range(11, 50)), b"next"]
    assert writing.dropped() == 11


@pytest.mark.parametrize("entries", [10, 40, 60])
def test_changed_bounds_keep_the_newest_records_that_fit(writing: Writing, entries: int) -> None:
    for number in range(40):
        writing.exchange(b"%d" % number, b"reply")
    writing.region.configure(JournalBounds(entries=entries, bytes=1 << 20))
    kept = writing.kept()
    assert [each.request for each in kept] == [b"%d" % number for number in range(max(0, 40 - entries), 40)]
    assert {each.reply for each in kept} == {b"reply"}
    assert len(kept) + writing.dropped() == 40


def test_record_in_progress_is_completed_after_the_bounds_have_changed(writing: Writing) -> None:
    sequence = writing.exchange(b"slow")
    writing.region.configure(JournalBounds(entries=77, bytes=1 << 20))
    writing.region.exchanges.complete(sequence, 2.0, State.DONE)
    assert [record.state for record in writing.kept()] == [State.DONE]


@pytest.mark.parametrize("entries", [40, 77])
@pytest.mark.parametrize("first, last", [(OTHER, OTHER), (OTHER, BLOCK), (BLOCK, OTHER)])
def test_cleared_records_leave_no_gap_after_the_bounds_have_changed(
    writing: Writing, entries: int, first: int, last: int
) -> None:
    for listener in (first, BLOCK, OTHER, BLOCK, last):
        writing.exchange(b"%d" % listener, listener=listener)
    writing.region.clear(OTHER, 2.0)
    writing.region.configure(JournalBounds(entries=entries, bytes=2 << 20))
    assert {record.listener for record in writing.kept()} == {BLOCK}
    assert writing.exchange(b"new") == writing.reader.newest() == 6
    assert [record.request for record in writing.kept(5)] == [b"new"]
    assert writing.kept()[-1].request == b"new"


@pytest.mark.parametrize("written", [0, 1, 2, 39, 40, 41, 100])
def test_newest_record_is_found_from_any_place(writing: Writing, written: int) -> None:
    for _ in range(written):
        writing.exchange(b"")
    assert writing.reader.newest() == written
    oldest = max(1, written - 39)
    for after in range(written + 3):
        found = [record.sequence for record in writing.kept(after)]
        assert found == list(range(found[0] if found else after + 1, written + 1))
        assert after >= written or found[0] >= max(after + 1, oldest)


def test_reading_during_a_change_of_the_bounds_raises_moving(writing: Writing) -> None:
    writing.region.buffer[:HEADER_BYTES].cast("Q")[GENERATION] += 1
    with pytest.raises(Moving):
        writing.kept()


def test_ring_of_a_worker_that_died_while_it_changed_the_bounds_is_empty_and_counted(writing: Writing) -> None:
    for _ in range(3):
        writing.exchange(b"x")
    writing.region.buffer[:HEADER_BYTES].cast("Q")[GENERATION] += 1
    count_unrecorded(writing.counters, [BLOCK], 0, 5.0)
    writing.region = JournalRegion(writing.counters.journal, 0, writing.cells)
    writing.region.configure(SMALL)
    writing.exchange(b"next")
    assert writing.requests() == [b"next"]
    assert writing.dropped(Dropped.WORKER_LOST) == 3


def test_requests_that_a_dead_worker_did_not_record_are_counted_as_lost(writing: Writing) -> None:
    writing.exchange(b"x")
    writing.cells[BLOCK + REQUESTS] += 2  # it died between counting and recording
    count_unrecorded(writing.counters, [BLOCK], 0, 5.0)
    count_unrecorded(writing.counters, [BLOCK], 0, 6.0)
    assert writing.dropped(Dropped.WORKER_LOST) == 2
    assert entries(writing.counters, 0) == {BLOCK: 1}


def test_clearing_counts_what_was_removed(writing: Writing) -> None:
    for _ in range(3):
        writing.exchange(b"x")
    writing.region.clear(None, 8.0)
    writing.exchange(b"y")
    assert writing.requests() == [b"y"]
    assert writing.dropped(Dropped.CLEARED) == 3


def test_clearing_one_listener_leaves_the_others(writing: Writing) -> None:
    for number in range(30):
        writing.exchange(b"%d" % number, listener=BLOCK if number % 2 else OTHER)
    writing.region.clear(BLOCK, 8.0)
    assert writing.requests() == [b"%d" % number for number in range(0, 30, 2)]
    assert writing.dropped(Dropped.CLEARED) == 15
    for _ in range(40):
        writing.exchange(b"x")
    assert (writing.dropped(), writing.dropped(listener=OTHER)) == (0, 15)
    assert entries(writing.counters, 0) == Counter({BLOCK: 40})


def test_requests_while_the_journal_is_off_are_counted_when_it_is_on_again(writing: Writing) -> None:
    writing.exchange(b"x")
    writing.region.switch(BLOCK, 1.0, on=False)
    writing.cells[BLOCK + REQUESTS] += 5
    writing.region.switch(BLOCK, 2.0, on=True)
    writing.exchange(b"y")
    assert writing.requests() == [b"x", b"y"]
    assert writing.dropped(Dropped.DISABLED) == 5


def test_events_have_a_ring_of_their_own(writing: Writing) -> None:
    ring = writing.region.events
    for number in range(50):
        ring.append(b"\0" * 64, 1.0, state=State.DONE, kind=Kind.END, number=number, payload=ring.head)
    writing.exchange(b"x")
    events = [each for chunk in RingReader(writing.region.buffer, 0, EVENTS).read() for each in chunk]
    assert [each.number for each in events] == list(range(10, 50))
    assert writing.requests() == [b"x"]
    assert writing.dropped() == 0


@pytest.mark.parametrize("entries", [40, 77])
def test_end_of_a_connection_is_read_as_it_was_recorded_also_after_the_bounds_have_changed(
    writing: Writing, entries: int
) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, None, 7, 3).recorder(2, "fe80::1%eth0", 4000)
    for _ in range(41):  # so that slots are used again
        writing.region.events.append(b"", 1.0, state=State.DONE, kind=Kind.EVENT, number=1, payload=0, rest=(9,) * 13)
    recorder.ended(CloseReason.PEER_RESET, 5.0, 2.5, 6, 1 << 40, 1 << 41)
    writing.region.configure(JournalBounds(entries=entries, bytes=2 << 20))
    (end,) = [each for chunk in RingReader(writing.region.buffer, 0, EVENTS).read(41) for each in chunk]
    assert (end.kind, end.state, end.rule) == (Kind.END, State.DONE, CloseReason.PEER_RESET)
    assert (end.time, end.delayed, end.number) == (5.0, 2.5, 6)
    assert (end.request_size, end.reply_size) == (1 << 40, 1 << 41)
    assert (end.request, end.reply, end.note, end.faults) == (b"", b"", b"", ())
    assert end.key == ConnectionKey(7, BLOCK, 2, 4000, 3, "fe80::1")


def test_connections_of_more_clients_than_are_remembered_have_their_addresses(writing: Writing) -> None:
    journal = ListenerJournal(writing.region, BLOCK, None, 7, 0)
    for number in (*range(3 * MAX_CLIENTS), 0):
        host = f"10.0.{number // 256}.{number % 256}"
        journal.recorder(number, host, 5000 + number).ended(CloseReason.PEER_EOF, 1.0, 0.0, 0, 0, 0)
        *_, (*_, end) = RingReader(writing.region.buffer, 0, EVENTS).read()
        assert (end.key.host, end.key.port, end.key.number) == (host, 5000 + number, number)
        assert len(journal.clients) <= MAX_CLIENTS


def test_entries_of_several_listeners_are_dropped_and_counted_by_listener(writing: Writing) -> None:
    for number in range(40):
        writing.exchange(b"", listener=OTHER if number % 3 else BLOCK, time=float(number))
    writing.region.clear(OTHER, 99.0)
    for _ in range(40):
        writing.exchange(b"")
    assert writing.dropped() == 14
    assert (writing.dropped(listener=OTHER), writing.dropped(Dropped.CLEARED, OTHER)) == (0, 26)


def test_dropped_batches_are_counted_and_dated_whatever_they_contain() -> None:
    writing, chance, now = Writing(JournalBounds(entries=640, bytes=1 << 20)), random.Random(2), 0.0
    live = list[tuple[int, float]]()  # listener and time of each entry
    evicted, newest = {BLOCK: 0, OTHER: 0}, {BLOCK: 0.0, OTHER: 0.0}
    for turn in range(400):
        listener, size = chance.choice((BLOCK, OTHER)), chance.choice((1, 1, 3))
        for _ in range(chance.choice((1, 5, 40))):
            now += 1.0
            if size > 1:
                listener, number = BLOCK, chance.choice((3, 3, 3, 2))
                writing.run(number, time=now)
            else:
                number = 1
                writing.exchange(b"", listener=listener, time=now)
            live += [(listener, now)] * number
        kept = [(record.listener, record.time) for record in writing.kept()]
        dropped = live[: len(live) - len(kept)]
        for of, time in dropped:
            evicted[of] += 1
            newest[of] = time
        live = live[len(dropped) :]
        assert kept == live
        assert evicted == {of: writing.dropped(listener=of) for of in evicted}
        assert {of: writing.cells[of + JOURNAL_DROPPED_AT] / 1e9 for of in newest} == newest
        if not turn % 100:
            writing.region.clear(OTHER, now)
            live = [each for each in live if each[0] != OTHER]
    assert min(evicted.values()) > 200


def test_batch_that_begins_at_the_end_of_the_slots_is_counted_by_what_the_slots_say() -> None:
    writing = Writing(JournalBounds(entries=640, bytes=1 << 20))
    looks_like_a_record = DROP.pack(BLOCK, 0.0, State.DONE, 0, 1)
    writing.exchange(looks_like_a_record * 20)  # right behind the slots
    for number in range(2, 700):
        writing.exchange(b"", listener=OTHER if number == 640 else BLOCK)  # which is in the first slot
    while writing.dropped(listener=OTHER) == 0:
        assert writing.dropped() < 640
        writing.exchange(b"")


def test_run_longer_than_the_changed_bounds_keeps_its_place(writing: Writing) -> None:
    writing.run(30)
    writing.region.configure(JournalBounds(entries=4, bytes=1 << 20))
    for number in range(5):
        writing.exchange(b"%d" % number)
    assert writing.requests() == [b"1", b"2", b"3", b"4"]
    assert writing.dropped() == 31


def test_script_that_another_one_interrupts_keeps_its_own_record(writing: Writing) -> None:
    journal = ListenerJournal(writing.region, BLOCK, None, 7, 0)
    recorder = journal.recorder(1, "192.0.2.1", 4000)
    rule = Rule("waits", 500, (lambda _context: None,))
    session = cast(Recorded, None)
    recorder.matched(b"go", rule, 1, 1.0, session)
    recorder.suspended([], 0)
    recorder.interrupted()
    recorder.event(Event.IDLE, rule, 2.0, session)
    recorder.played([Send(b"still there?")], 0)
    recorder.continued()
    recorder.played([Send(b"done")], 0)
    recorder.flushed(3.0)
    (exchange,) = writing.kept()
    assert (exchange.request, exchange.reply, exchange.state) == (b"go", b"done", State.DONE)
    events = RingReader(writing.counters.journal.region(0), 0, EVENTS)
    ((event,),) = events.read(0)
    assert (event.reply, event.state) == (b"still there?", State.DONE)


RULE = Rule("replies", 500, (lambda _context: None,))
NO_SESSION = cast(Recorded, None)


def test_script_that_ends_at_once_is_one_record_with_what_it_sent(writing: Writing) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, 10, 7, 0).recorder(1, "192.0.2.1", 4000)
    sent: list[Action] = [Send(b"of the request before"), Send(b"Hello, "), HalfClose(), Send(memoryview(b"World!"))]
    recorder.matched(b"go", RULE, 1, 1.0, NO_SESSION)
    assert writing.kept() == [], "until the script is over or waits"
    recorder.applied((600, 601))
    recorder.played(sent, 1)
    recorder.matched(b"quiet", RULE, 2, 2.0, NO_SESSION)
    recorder.played([], 0)
    recorder.flushed(3.0)
    replied, quiet = writing.kept()
    assert (replied.request, replied.reply, replied.reply_size) == (b"go", b"Hello, Wor", 13)
    assert (replied.number, replied.rule, replied.time, replied.finished) == (1, 500, 1.0, 3.0)
    assert replied.faults == (600, 601)
    assert (quiet.request, quiet.reply, quiet.reply_size, quiet.faults) == (b"quiet", b"", 0, ())
    assert (quiet.number, quiet.rule, quiet.time, quiet.state) == (2, 500, 2.0, State.DONE)


def test_event_whose_script_ends_at_once_is_one_record_with_what_it_sent(writing: Writing) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, 10, 7, 0).recorder(1, "192.0.2.1", 4000)
    reader = RingReader(writing.region.buffer, 0, EVENTS)
    sent: list[Action] = [Send(b"of the event before"), Send(b"Hello, "), HalfClose(), Send(memoryview(b"World!"))]
    recorder.event(Event.CONNECT, RULE, 1.0, NO_SESSION)
    assert list(reader.read()) == [], "until the script is over or waits"
    recorder.played(sent, 1)
    recorder.event(Event.IDLE, RULE, 2.0, NO_SESSION)
    recorder.applied((600,))
    recorder.played([], 0)
    ((greeted, *others),) = reader.read()
    assert (greeted.kind, greeted.state, greeted.number) == (Kind.EVENT, State.DONE, 0)
    assert (greeted.reply, greeted.reply_size, greeted.request, greeted.faults) == (b"Hello, Wor", 13, b"", ())
    assert (greeted.rule, greeted.time, greeted.key.peer) == (500, 1.0, "192.0.2.1:4000")
    assert [(each.number, each.reply, each.faults, each.state) for each in others] == [(1, b"", (600,), State.DONE)]


def test_script_that_fails_before_it_is_recorded_is_abandoned(writing: Writing) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, None, 7, 0).recorder(1, "192.0.2.1", 4000)
    recorder.matched(b"go", RULE, 1, 1.0, NO_SESSION)
    recorder.ended(CloseReason.INTERNAL_ERROR, 2.0, 0.5, 1, 3, 0)
    (exchange,) = writing.kept()
    assert (exchange.request, exchange.reply, exchange.state) == (b"go", b"", State.ABANDONED)


def test_end_of_a_connection_abandons_the_interrupted_script_too(writing: Writing) -> None:
    journal = ListenerJournal(writing.region, BLOCK, None, 7, 0)
    recorder = journal.recorder(1, "192.0.2.1", 4000)
    rule = Rule("waits", 500, (lambda _context: None,))
    session = cast(Recorded, None)
    recorder.matched(b"go", rule, 1, 1.0, session)
    recorder.interrupted()
    recorder.event(Event.IDLE, rule, 2.0, session)
    recorder.over(3.0)
    (exchange,) = writing.kept()
    assert (exchange.state, exchange.finished) == (State.ABANDONED, 3.0)


class Forwards:
    """A session that forwards, as its recorder sees it."""

    forwarding = cast(Forwarding, object())
    owes = False


FORWARDS = cast(Recorded, Forwards())


def test_forwarded_request_is_in_progress_until_its_reply_is_sent(writing: Writing) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, None, 7, 0).recorder(1, "192.0.2.1", 4000)
    recorder.matched(b"GET a", None, 1, 1.0, FORWARDS)
    first = recorder.forwarded(owed=True)
    recorder.played([], 0)
    recorder.matched(b"GET b", RULE, 2, 1.0, FORWARDS)
    second = recorder.forwarded(owed=True)
    recorder.played([], 0)
    recorder.flushed(1.5)
    assert [(each.state, each.upstream) for each in writing.kept()] == [(State.IN_PROGRESS, -1.0)] * 2
    recorder.replied(first, 0.25)
    recorder.delayed(0.5)
    recorder.played([Send(b"one")], 0)
    assert writing.kept()[0].state == State.IN_PROGRESS
    recorder.flushed(2.0)
    recorder.replied(second, 0.75)
    recorder.played([Send(b"two")], 0)
    recorder.flushed(2.5)
    one, two = writing.kept()
    assert (one.request, one.rule, one.reply, one.state) == (b"GET a", -1, b"one", State.DONE)
    assert (one.finished, one.delayed, one.upstream) == (2.0, 0.5, 0.25)
    assert (two.rule, two.reply, two.upstream) == (500, b"two", 0.75)


def test_request_whose_reply_is_not_framed_is_done_when_it_was_passed_on(writing: Writing) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, None, 7, 0).recorder(1, "192.0.2.1", 4000)
    recorder.matched(b"GET a", None, 1, 1.0, FORWARDS)
    assert recorder.forwarded(owed=False) is None
    recorder.played([], 0)
    recorder.flushed(1.5)
    (exchange,) = writing.kept()
    assert (exchange.state, exchange.upstream, exchange.finished) == (State.DONE, -1.0, 1.5)


def test_script_around_a_reply_is_one_exchange(writing: Writing) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, None, 7, 0).recorder(1, "192.0.2.1", 4000)
    recorder.matched(b"both", RULE, 1, 1.0, FORWARDS)
    request = recorder.forwarded(owed=True)
    recorder.suspended([Send(b"<")], 0)
    recorder.interrupted()
    recorder.replied(request, 0.25)
    recorder.played([Send(b"ok")], 0)
    recorder.continued()
    recorder.flushed(1.5)
    assert writing.kept()[0].state == State.IN_PROGRESS
    recorder.played([Send(b">")], 0)
    recorder.flushed(2.0)
    (exchange,) = writing.kept()
    assert (exchange.reply, exchange.state, exchange.upstream) == (b"<ok>", State.DONE, 0.25)


def test_requests_that_an_upstream_does_not_answer_are_abandoned(writing: Writing) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, None, 7, 0).recorder(1, "192.0.2.1", 4000)
    request = None
    for number in (1, 2):
        recorder.matched(b"GET", None, number, 1.0, FORWARDS)
        request = recorder.forwarded(owed=True)
        recorder.played([], 0)
        if number == 1:
            recorder.unanswered(2.0)
    recorder.ended(CloseReason.UPSTREAM_RESET, 3.0, 0.5, 2, 6, 0)
    assert [(each.state, each.finished) for each in writing.kept()] == [(State.ABANDONED, 2.0), (State.ABANDONED, 3.0)]
    recorder.replied(request, 1.0)
    assert recorder.open is None, "it is not known any more"


def test_upstreams_time_survives_other_bounds_of_the_journal(writing: Writing) -> None:
    recorder = ListenerJournal(writing.region, BLOCK, None, 7, 0).recorder(1, "192.0.2.1", 4000)
    recorder.matched(b"GET", None, 1, 1.0, FORWARDS)
    recorder.replied(recorder.forwarded(owed=True), 0.25)
    recorder.played([Send(b"ok")], 0)
    recorder.flushed(2.0)
    writing.region.configure(JournalBounds(20, SMALL.bytes, SMALL.body_bytes))
    (exchange,) = writing.kept()
    assert (exchange.reply, exchange.upstream) == (b"ok", 0.25)
