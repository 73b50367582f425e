"""Requests that are answered from the cache, as the journal records them, and what changes once one is not."""

from typing import cast

import pytest

from answerback.core.actions import CloseReason, Send
from answerback.core.context import SessionConnection
from answerback.core.plan import Event, JournalBounds, Rule
from answerback.core.recorder import Recorded, Recorder
from answerback.core.reply_cache import CachedReply
from answerback.shared.journal.layout import Kind, State
from answerback.shared.journal.listener_journal import ListenerJournal, last_recorder
from answerback.shared.journal.records import Record
from answerback.shared.journal.ring_reader import EVENTS, RingReader
from answerback.shared.journal.run_recorder import RunRecorder
from tests.shared.journal_writing import BLOCK, Writing

SCRIPT = Rule("script", 500, (lambda _context: None,))


@pytest.fixture
def writing() -> Writing:
    return Writing()


class FakeConnection:
    """A client's connection."""

    def __init__(self, number: int) -> None:
        self.number = number

    def connection_key(self) -> tuple[int, str, int]:
        return self.number, "192.0.2.1", 4000


class FakeSession:
    """A session whose reads are answered from the cache, each line as one request."""

    forwarding = None
    owes = False

    def __init__(self, journal: ListenerJournal, number: int = 1) -> None:
        self.connection = cast(SessionConnection, FakeConnection(number))
        self.recorder: Recorder | None = journal.accepted(number, ("192.0.2.1", 4000))
        self.requests = 0

    def split_again(self, data: bytes) -> list[bytes]:
        return data.splitlines(keepends=True)

    def ask(self, cached: CachedReply, data: bytes, now: float) -> None:
        """Send requests whose reply is in the cache."""
        assert self.recorder is not None
        self.recorder.repeated(cached, data, self.requests + 1, now, cast(Recorded, self))
        self.requests += cached.requests

    def flush(self, now: float) -> None:
        """Let the kernel take the replies."""
        assert self.recorder is not None
        self.recorder.flushed(now)

    def end(self, now: float, born: float) -> None:
        """Close the connection."""
        assert self.recorder is not None
        assert self.connection is not None
        last = last_recorder(self.recorder, self.connection)
        last.ended(CloseReason.PEER_EOF, now, born, self.requests, 6 * self.requests, 7 * self.requests)


def ends(writing: Writing) -> list[Record]:
    reader = RingReader(writing.region.buffer, 0, EVENTS)
    return [record for chunk in reader.read() for record in chunk]


def journal_of(writing: Writing) -> ListenerJournal:
    return ListenerJournal(writing.region, BLOCK, None, 7, 0)


def pong(requests: int = 1) -> CachedReply:
    return CachedReply((Send(b"+PONG\r\n" * requests),), requests, 500)


def test_connections_of_one_request_are_recorded_whole_however_often_slots_are_used_again(writing: Writing) -> None:
    journal, cached = journal_of(writing), pong()
    for number in range(1, 201):
        session = FakeSession(journal, number)
        session.ask(cached, b"PING\r\n", float(number))
        assert writing.kept()[-1].state == State.IN_PROGRESS
        session.flush(number + 0.25)
        session.end(number + 0.5, float(number))
        assert isinstance(session.recorder, RunRecorder)
    kept = writing.kept()
    assert [(each.key.number, each.time, each.finished) for each in kept] == [
        (number, number, number + 0.25) for number in range(161, 201)
    ]
    assert {(each.state, each.request, each.reply, each.number) for each in kept} == {
        (State.DONE, b"PING\r\n", b"+PONG\r\n", 1)
    }
    assert [(each.key.number, each.time, each.delayed, each.kind) for each in ends(writing)] == [
        (number, number + 0.5, 0.5, Kind.END) for number in range(161, 201)
    ]
    assert {(each.request_size, each.reply_size, each.number, each.rule) for each in ends(writing)} == {
        (6, 7, 1, CloseReason.PEER_EOF)
    }


def test_further_requests_of_one_connection_are_recorded_however_often_slots_are_used_again(writing: Writing) -> None:
    session, cached = FakeSession(journal_of(writing)), pong(2)
    for turn in range(100):
        session.ask(cached, b"PING\r\n" * 2, float(turn))
        session.flush(turn + 0.5)
    kept = writing.kept()
    assert [each.number for each in kept] == list(range(161, 201))
    assert [(each.time, each.finished) for each in kept[::2]] == [(turn, turn + 0.5) for turn in range(80, 100)]


def test_reply_that_the_kernel_takes_later_completes_its_own_record_and_no_other(writing: Writing) -> None:
    journal, cached = journal_of(writing), pong()
    slow, other = FakeSession(journal, 1), FakeSession(journal, 2)
    slow.ask(cached, b"PING\r\n", 1.0)
    other.ask(cached, b"PING\r\n", 2.0)
    slow.flush(3.0)
    assert [(each.key.number, each.state, each.finished) for each in writing.kept()] == [
        (1, State.DONE, 3.0),
        (2, State.IN_PROGRESS, 0.0),
    ]


def test_connection_that_ends_before_its_reply_is_sent_abandons_it(writing: Writing) -> None:
    session = FakeSession(journal_of(writing))
    session.ask(pong(), b"PING\r\n", 1.0)
    session.end(2.0, 0.5)
    (exchange,) = writing.kept()
    assert (exchange.state, exchange.finished) == (State.ABANDONED, 2.0)


def test_record_that_was_cleared_stays_so_when_its_reply_is_sent(writing: Writing) -> None:
    session = FakeSession(journal_of(writing))
    session.ask(pong(), b"PING\r\n", 1.0)
    writing.region.clear(BLOCK, 1.5)
    session.flush(2.0)
    assert writing.kept() == []


@pytest.mark.parametrize("entries", [60, 30])
def test_reply_is_completed_after_the_journal_has_moved(writing: Writing, entries: int) -> None:
    journal, cached = journal_of(writing), pong()
    for number in range(50):
        FakeSession(journal, number).ask(cached, b"PING\r\n", 1.0)
    session = FakeSession(journal, 50)
    session.ask(cached, b"PING\r\n", 2.0)
    writing.region.configure(JournalBounds(entries=entries, bytes=2 << 20))
    session.flush(3.0)
    later = FakeSession(journal, 51)
    later.ask(cached, b"PING\r\n", 4.0)
    later.flush(5.0)
    assert [(each.key.number, each.state, each.finished) for each in writing.kept()][-3:] == [
        (49, State.IN_PROGRESS, 0.0),
        (50, State.DONE, 3.0),
        (51, State.DONE, 5.0),
    ]


def test_journal_that_is_cleared_as_a_whole_and_moved_goes_on(writing: Writing) -> None:
    journal, cached = journal_of(writing), pong()
    for number in range(50):
        FakeSession(journal, number).ask(cached, b"PING\r\n", 1.0)
    writing.region.clear(None, 1.5)
    writing.region.configure(JournalBounds(entries=33, bytes=2 << 20))
    for number in range(50, 90):
        FakeSession(journal, number).ask(cached, b"PING\r\n", 2.0)
    assert [each.key.number for each in writing.kept()] == list(range(57, 90))


def test_script_after_cached_replies_goes_on_with_the_connection(writing: Writing) -> None:
    session = FakeSession(journal_of(writing))
    session.ask(pong(), b"PING\r\n", 1.0)
    runs = session.recorder
    assert isinstance(runs, RunRecorder)
    runs.matched(b"go", SCRIPT, 2, 2.0, cast(Recorded, session))
    assert session.recorder is not runs
    assert session.recorder is not None
    session.recorder.played([Send(b"gone")], 0)
    session.flush(3.0)
    session.ask(pong(), b"PING\r\n", 4.0)
    session.flush(5.0)
    session.end(6.0, 0.5)
    assert [(each.request, each.state, each.finished, each.key.number) for each in writing.kept()] == [
        (b"PING\r\n", State.DONE, 3.0, 1),
        (b"go", State.DONE, 3.0, 1),
        (b"PING\r\n", State.DONE, 5.0, 1),
    ]


def test_event_after_cached_replies_is_recorded_and_what_hangs_is_abandoned_at_the_end(writing: Writing) -> None:
    session = FakeSession(journal_of(writing))
    session.ask(pong(), b"PING\r\n", 1.0)
    session.flush(1.5)
    assert session.recorder is not None
    session.recorder.event(Event.IDLE, SCRIPT, 2.0, cast(Recorded, session))
    session.recorder.suspended([Send(b"still there?")], 0)
    session.end(3.0, 0.5)
    (event, _) = ends(writing)
    assert (event.kind, event.state, event.reply) == (Kind.EVENT, State.ABANDONED, b"still there?")


@pytest.mark.parametrize("address, peer", [(("2001:db8::1", 4000, 0, 0), "[2001:db8::1]:4000"), ("", "")])
def test_connection_is_recorded_with_the_address_that_it_was_accepted_from(
    writing: Writing, address: object, peer: str
) -> None:
    recorder = journal_of(writing).accepted(3, address)
    recorder.ended(CloseReason.PEER_EOF, 2.0, 1.0, 0, 0, 0)
    (end,) = ends(writing)
    assert (end.key.number, end.key.peer) == (3, peer)


def test_connection_that_is_recorded_only_later_has_its_client_too(writing: Writing) -> None:
    session = FakeSession(journal_of(writing), 3)
    session.recorder = journal_of(writing)
    session.ask(pong(), b"PING\r\n", 1.0)
    session.flush(2.0)
    (exchange,) = writing.kept()
    assert (exchange.key.number, exchange.key.peer, exchange.state) == (3, "192.0.2.1:4000", State.DONE)


def test_events_are_recorded_however_often_slots_are_used_again(writing: Writing) -> None:
    session = FakeSession(journal_of(writing))
    for turn in range(100):
        assert session.recorder is not None
        session.recorder.event(Event.TICK, SCRIPT, float(turn), cast(Recorded, session))
        session.recorder.played([Send(b"%d" % turn)], 0)
    assert [each.reply for each in ends(writing)] == [b"%d" % turn for turn in range(60, 100)]
    assert {(each.request, each.note, each.faults) for each in ends(writing)} == {(b"", b"", ())}


def test_answers_of_scripts_are_recorded_however_often_slots_are_used_again(writing: Writing) -> None:
    session = FakeSession(journal_of(writing))
    for turn in range(1, 101):
        assert session.recorder is not None
        session.recorder.matched(b"go %d" % turn, SCRIPT, turn, float(turn), cast(Recorded, session))
        session.recorder.played([Send(b"gone")], 0)
        session.flush(turn + 0.5)
    assert [(each.request, each.number, each.finished) for each in writing.kept()] == [
        (b"go %d" % turn, turn, turn + 0.5) for turn in range(61, 101)
    ]


@pytest.mark.parametrize("asked_before", [False, True])
def test_read_with_more_requests_than_may_be_dropped_at_once_is_recorded_one_by_one(
    writing: Writing, asked_before: bool
) -> None:
    session, most = FakeSession(journal_of(writing)), 8
    if asked_before:
        session.ask(pong(), b"PING\r\n", 1.0)
        session.flush(1.5)
    session.ask(pong(most), b"PING\r\n" * most, 2.0)
    session.flush(3.0)
    kept = writing.kept()[-most:]
    first = 1 + asked_before
    assert [each.number for each in kept] == list(range(first, first + most))
    assert {(each.request, each.reply, each.state, each.finished) for each in kept} == {
        (b"PING\r\n", b"+PONG\r\n", State.DONE, 3.0)
    }
