"""A fault FROM_PEER: the server reads no faster than its rate."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose, Reset, Send
from answerback.core.bounded_counter import CountedFor
from answerback.core.faults import Bandwidth, Fault
from answerback.core.plan import Limits, ListenerPlan, Rule
from tests.core.plans import plan, rule, say
from tests.core.playbook import Playbook, Somewhere, after, drain, eof, fin

TICK = 0.0001


def slow(rate: int, number: int = 0, **when: Any) -> Fault:
    return Fault(f"slow{number}", 7 + number, Bandwidth(rate), sequence_cell=100 + 3 * number, read_rate=rate, **when)


def read_slowly(*faults: Fault, rules: tuple[Rule, ...] = (rule(steps.echo()),), **limits: float) -> ListenerPlan:
    return replace(plan(*rules, limits=Limits(**limits)), faults_from_peer=faults)  # type: ignore[arg-type]


def test_request_is_answered_when_a_line_of_the_rate_has_carried_it() -> None:
    book = Playbook(read_slowly(slow(10))) >> b"123456789\n"
    book >> after(1 - TICK)
    book.silent() >> after(TICK) << Send(b"123456789")
    assert book.account.strikes == [7]


@pytest.mark.parametrize(
    "scope, slow_ones", [(CountedFor.LISTENER, "S---"), (CountedFor.PEER, "SS--")], ids=["listener", "peer"]
)
def test_slow_reader_is_decided_once_per_connection_and_counts_for_its_scope(scope: CountedFor, slow_ones: str) -> None:
    first = Somewhere()
    found = ""
    for peer in ("192.0.2.1", "192.0.2.2") * 2:
        connection = Somewhere(peer=(peer, 1))
        connection.counters, connection.peer_counters = first.counters, first.peer_counters
        book = Playbook(read_slowly(slow(10, times=1, scope=scope)), connection=connection) >> b"a\n"
        found += "-" if book.heard else "S"
        book.unheard() >> after(0.2)
        book.unheard() >> b"b\n"
        assert bool(book.heard) is (found[-1] == "-"), "the second request is read as the first one"
        book.unheard()
    assert found == slow_ones


def test_slow_reader_reads_no_more_until_it_has_passed_everything_on() -> None:
    book = Playbook(read_slowly(slow(10)))
    book >> b"abc"
    assert [book.session.wants_read, book.session.in_progress] == [False, True]
    book >> after(0.3 - TICK)
    assert not book.session.wants_read
    book >> after(2 * TICK)
    assert [book.session.wants_read, book.session.in_progress] == [True, False]
    assert book.session.conversation.buffer == b"abc"


def test_slow_line_that_was_unused_has_not_saved_anything() -> None:
    book = Playbook(read_slowly(slow(10))) >> b"a\n" >> after(0.2) << Send(b"a")
    book >> after(50) >> b"b\n" >> after(0.2 - TICK)
    book.silent() >> after(TICK) << Send(b"b")


def test_pipelined_requests_are_answered_one_after_another() -> None:
    book = Playbook(read_slowly(slow(100))) >> b"one\n" + b"x" * 95 + b"\n"
    book >> after(0.1) << Send(b"one")
    book >> after(0.9 - TICK)
    book.silent() >> after(TICK) << Send(b"x" * 95)


@pytest.mark.parametrize("noted", [False, True], ids=["", "noted"])
def test_fin_is_seen_after_the_bytes_before_it(noted: bool) -> None:
    book = Playbook(read_slowly(slow(10))) >> b"123456789\n"
    if noted:
        book >> fin
        assert book.session.fin_noted
    book >> eof >> after(1 - TICK)
    book.silent() >> after(TICK) << Send(b"123456789") << Close(CloseReason.PEER_EOF)


def test_fin_behind_part_of_a_request_truncates_it() -> None:
    book = Playbook(read_slowly(slow(10))) >> b"12345" >> eof >> after(0.5) << Close(CloseReason.PEER_EOF)
    assert book.account.truncations == 1


def test_bytes_that_are_held_when_the_server_closes_are_discarded() -> None:
    book = Playbook(read_slowly(slow(10), rules=(rule(say(b"bye"), steps.close()),))) >> b"1\n3456789" >> after(0.2)
    book << Send(b"bye") << HalfClose()
    assert book.session.wants_read, "until the FIN of the peer"
    book >> b"more" >> eof << Close(CloseReason.SERVER_CLOSE)


def test_fin_that_is_held_when_the_server_closes_ends_the_connection() -> None:
    book = Playbook(read_slowly(slow(10), rules=(rule(say(b"bye"), steps.close()),))) >> b"1\n3456789" >> eof
    book >> after(1) << Send(b"bye") << HalfClose() << Close(CloseReason.SERVER_CLOSE)


def test_drain_closes_a_connection_whose_request_has_not_arrived() -> None:
    book = Playbook(read_slowly(slow(10))) >> b"1234567890\n" >> drain << HalfClose()
    book >> eof << Close(CloseReason.DRAIN)


def test_reset_by_a_rule_ends_a_slow_reader() -> None:
    book = Playbook(read_slowly(slow(10), rules=(rule(steps.reset()),))) >> b"\n\n\n" >> after(0.1)
    book << Reset(CloseReason.SERVER_RESET)
    assert (book.session.over, book.session.wants_read, book.session.deadline) == (True, False, book.session.deadline)


def test_request_that_takes_too_long_to_read_is_timed_out() -> None:
    book = Playbook(read_slowly(slow(10), request_timeout=5, idle_timeout=inf)) >> b"x" * 100 >> after(5.1)
    book << HalfClose() >> eof << Close(CloseReason.REQUEST_TIMEOUT)


def test_bytes_that_arrive_slowly_keep_the_connection_from_being_idle() -> None:
    book = Playbook(read_slowly(slow(1), idle_timeout=2, request_timeout=inf)) >> b"123456789\n" >> after(10)
    book << Send(b"123456789")


def test_slowest_of_the_faults_that_apply_counts() -> None:
    faults = slow(50), slow(10, 1), slow(1, 2, probability=1e-9)
    book = Playbook(read_slowly(*faults)) >> b"123456789\n" >> after(1 - TICK)
    book.silent() >> after(TICK) << Send(b"123456789")
    assert book.account.strikes == [7, 8]


def test_counts_of_a_fault_from_peer_are_of_connections() -> None:
    connection = Somewhere()
    target = read_slowly(slow(10, skip=1, times=2))

    def is_slow() -> bool:
        book = Playbook(target, connection=connection) >> b"1\n"
        found = not book.heard
        book.unheard() >> after(0.2)
        book.unheard() >> b"2\n"
        assert bool(book.heard) is not found, "it is decided once"
        book.unheard()
        return found

    assert [is_slow() for _ in range(5)] == [False, True, True, False, False]


def test_removed_fault_lets_everything_through() -> None:
    book = Playbook(read_slowly(slow(10))) >> b"1\n" + b"x" * 1000 + b"\n" >> after(0.2) << Send(b"1")
    book.active.plan = replace(book.active.plan, faults_from_peer=())
    book >> after(0.1) << Send(b"x" * 1000)
    book >> b"2\n" << Send(b"2")


def test_changed_fault_is_decided_again_and_an_unchanged_one_is_not() -> None:
    book = Playbook(read_slowly(slow(10))) >> b"1\n" >> after(0.2) << Send(b"1")
    book.active.plan = replace(book.active.plan, rule_names=("another",))
    book >> b"2\n" >> after(0.2) << Send(b"2")
    assert book.account.strikes == [7]
    book.active.plan = replace(book.active.plan, faults_from_peer=(slow(100),))
    book >> b"3\n" >> after(0.02) << Send(b"3")
    assert book.account.strikes == [7, 7]


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"d\ne", b"quit\n"]), max_size=12), st.integers(1, 1000))
def test_conversation_with_a_slow_reader_is_the_same_but_later(pieces: list[bytes], rate: int) -> None:
    rules = rule(say(b"bye"), steps.close(), when=b"quit"), rule(steps.echo(), steps.delay_fixed(0.3), say(b"."))

    def heard(target: ListenerPlan) -> tuple[bytes, list[object]]:
        book = Playbook(target)
        for piece in pieces:
            if not book.session.awaits_fin:
                book >> piece
                book.unheard() >> after(30)
            book.unheard()
        if not book.session.over:
            book >> eof
            book.unheard() >> after(30)
        actions = [action for _, action in book.unheard().transcript]
        sent = b"".join(bytes(each.data) for each in actions if isinstance(each, Send))
        return sent, [each for each in actions if not isinstance(each, Send)]

    plain = plan(*rules, limits=Limits(idle_timeout=inf, request_timeout=inf))
    assert heard(replace(plain, faults_from_peer=(slow(rate),))) == heard(plain)
