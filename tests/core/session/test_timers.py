"""Deadlines to the tick: just before, at, and after each limit."""

from math import inf

import pytest

from answerback.core import steps
from answerback.core.actions import Abort, Close, CloseReason, HalfClose, Send
from answerback.core.framing import Line
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.core.session.closing import LINGER_BYTES, LINGER_SECONDS
from tests.core.plans import plan, rule, say
from tests.core.playbook import Playbook, after, eof

TICK = 0.001
PATIENT = Limits(idle_timeout=10, request_timeout=inf, write_timeout=inf)


def limited(*rules: Rule, **limits: float) -> ListenerPlan:
    without = {"idle_timeout": inf, "request_timeout": inf, "write_timeout": inf, "lifetime": inf}
    return plan(*rules, limits=Limits(**{**without, **limits}))  # type: ignore[arg-type]


def ends_at(book: Playbook, seconds: float, reason: CloseReason) -> None:
    """Nothing happens before; then it is closed in order."""
    book >> after(seconds - TICK)
    book.silent() >> after(TICK) << HalfClose()
    book >> eof << Close(reason)


def test_idle_timeout_starts_with_the_connection() -> None:
    ends_at(Playbook(limited(idle_timeout=10)), 10, CloseReason.IDLE_TIMEOUT)


def test_idle_timeout_restarts_with_received_bytes() -> None:
    book = Playbook(limited(idle_timeout=10)) >> after(9) >> b"half a line"
    ends_at(book, 10, CloseReason.IDLE_TIMEOUT)


def test_idle_timeout_restarts_when_a_slow_reader_has_read_its_reply() -> None:
    """The peer said nothing while it read, and it read for longer than it may be idle."""
    book = Playbook(limited(rule(say(b"12345678")), idle_timeout=10), room=4)
    book >> b"a\n" << Send(b"12345678")
    book >> after(25)
    book.silent().read()
    ends_at(book, 10, CloseReason.IDLE_TIMEOUT)


def test_idle_timeout_after_a_slow_read_is_not_shortened_by_an_earlier_deadline() -> None:
    book = Playbook(limited(rule(say(b"12345678")), idle_timeout=10, write_timeout=26), room=4)
    book >> b"a\n" << Send(b"12345678")
    book >> after(25)
    book.silent().read()  # a second before the write timeout
    ends_at(book, 10, CloseReason.IDLE_TIMEOUT)


def test_idle_timeout_restarts_with_a_delayed_reply() -> None:
    book = Playbook(limited(rule(steps.delay_fixed(25), say(b"late")), idle_timeout=10)) >> b"a\n" >> after(25)
    book << Send(b"late")
    ends_at(book, 10, CloseReason.IDLE_TIMEOUT)


def test_request_timeout_starts_with_the_first_byte() -> None:
    book = Playbook(limited(request_timeout=4)) >> after(100) >> b"ha" >> after(3) >> b"lf"
    ends_at(book, 1, CloseReason.REQUEST_TIMEOUT)


def test_request_timeout_of_a_pipelined_request_starts_with_the_reply_before() -> None:
    book = Playbook(limited(rule(say(b"x")), request_timeout=4)) >> b"ha" >> after(3) >> b"lf\nmo" << Send(b"x")
    ends_at(book, 4, CloseReason.REQUEST_TIMEOUT)


def test_lifetime_counts_from_the_start_of_the_connection() -> None:
    book = Playbook(limited(rule(say(b"x")), lifetime=10)) >> after(9) >> b"a\n" << Send(b"x")
    ends_at(book, 1, CloseReason.MAX_LIFETIME)


def test_lifetime_ends_a_connection_during_a_delay() -> None:
    book = Playbook(limited(rule(steps.delay_fixed(100), say(b"x")), lifetime=10)) >> b"a\n"
    ends_at(book, 10, CloseReason.MAX_LIFETIME)


def test_write_timeout_starts_when_writing_is_first_paused() -> None:
    book = Playbook(limited(rule(say(b"12345678")), write_timeout=3), room=4)
    book >> b"a\n" << Send(b"12345678")
    book >> after(2)
    book.session.writing_paused(book.now)  # blocked again
    book.silent() >> after(1 - TICK)
    book.silent() >> after(TICK) << Abort(CloseReason.WRITE_TIMEOUT)


def test_write_timeout_restarts_with_the_next_reply() -> None:
    book = Playbook(limited(rule(say(b"12345678")), write_timeout=3), room=4)
    book >> b"a\n" << Send(b"12345678")
    book >> after(2)
    book.read(8) >> b"a\n" << Send(b"12345678")
    book >> after(3 - TICK)
    book.silent() >> after(TICK) << Abort(CloseReason.WRITE_TIMEOUT)


def test_lingering_ends_at_its_time_limit() -> None:
    book = Playbook(limited(rule(steps.close()))) >> b"a\n" << HalfClose() >> after(LINGER_SECONDS - TICK)
    book.silent() >> after(TICK) << Close(CloseReason.SERVER_CLOSE)


@pytest.mark.parametrize("pieces", [1, 4])
def test_lingering_ends_at_its_byte_limit(pieces: int) -> None:
    book = Playbook(limited(rule(steps.close()))) >> b"a\n" << HalfClose()
    for _ in range(pieces - 1):
        book >> bytes(LINGER_BYTES // pieces)
    book >> bytes(LINGER_BYTES // pieces - 1)
    book.silent() >> b"x" << Close(CloseReason.SERVER_CLOSE)


@pytest.mark.parametrize("over", [0, 1])
def test_request_past_max_bytes_is_rejected_whole_or_in_pieces(over: int) -> None:
    target = plan(rule(say(b"x")), limits=Limits(max_request_bytes=10))
    whole = Playbook(target) >> b"a" * (10 + over) + b"\n"
    in_pieces = Playbook(target)
    for _ in range(10 + over):
        in_pieces >> b"a"
        if in_pieces.heard:
            break
    else:
        in_pieces >> b"\n"
    for book in (whole, in_pieces):
        if over:
            book << HalfClose() >> eof << Close(CloseReason.REQUEST_TOO_LARGE)
        else:
            book << Send(b"x")


def test_idle_rule_replies_at_each_idle_timeout() -> None:
    idle = ListenerPlan(
        "it",
        "",
        framing=Line(keep_ending=False),
        on_idle=Rules([rule(say(b"there?"), place=4)]),
        limits=Limits(idle_timeout=10),
    )
    book = Playbook(idle)
    for _ in range(3):
        book >> after(10 - TICK)
        book.silent() >> after(TICK) << Send(b"there?")
    assert book.account.events == [4] * 3


def test_duration_ends_when_the_kernel_has_accepted_the_reply() -> None:
    book = Playbook(limited(rule(say(b"12345678"))), room=4) >> b"ha" >> after(5) >> b"lf\n"
    book << Send(b"12345678") >> after(2)
    book.read()
    assert book.account.durations == [pytest.approx(2)]
