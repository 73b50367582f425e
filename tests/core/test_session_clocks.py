"""What is due when, to the tick: each bound just before, at, and past its time."""

from math import inf

import pytest

from answerback.core import steps
from answerback.core.actions import Abort, Close, CloseReason, HalfClose, Send
from answerback.core.ending import LINGER_BYTES, LINGER_SECONDS
from answerback.core.framing import Line
from answerback.core.plan import Limits, ListenerPlan, Rule, Rules
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


def test_the_idle_clock_begins_when_the_connection_is_made() -> None:
    ends_at(Playbook(limited(idle_timeout=10)), 10, CloseReason.IDLE_TIMEOUT)


def test_the_idle_clock_begins_again_with_the_last_bytes_heard() -> None:
    book = Playbook(limited(idle_timeout=10)) >> after(9) >> b"half a line"
    ends_at(book, 10, CloseReason.IDLE_TIMEOUT)


def test_the_idle_clock_begins_again_once_a_slow_reader_has_taken_its_reply() -> None:
    """The peer said nothing while it read, and it read for longer than it may be idle."""
    book = Playbook(limited(rule(say(b"12345678")), idle_timeout=10), room=4)
    book >> b"a\n" << Send(b"12345678")
    book >> after(25)
    book.silent().read()
    ends_at(book, 10, CloseReason.IDLE_TIMEOUT)


def test_the_idle_clock_begins_again_once_a_delayed_reply_is_given() -> None:
    book = Playbook(limited(rule(steps.delay_fixed(25), say(b"late")), idle_timeout=10)) >> b"a\n" >> after(25)
    book << Send(b"late")
    ends_at(book, 10, CloseReason.IDLE_TIMEOUT)


def test_a_request_has_its_time_from_its_first_byte() -> None:
    book = Playbook(limited(request_timeout=4)) >> after(100) >> b"ha" >> after(3) >> b"lf"
    ends_at(book, 1, CloseReason.REQUEST_TIMEOUT)


def test_a_request_behind_another_has_its_time_from_when_that_is_answered() -> None:
    book = Playbook(limited(rule(say(b"x")), request_timeout=4)) >> b"ha" >> after(3) >> b"lf\nmo" << Send(b"x")
    ends_at(book, 4, CloseReason.REQUEST_TIMEOUT)


def test_a_lifetime_is_counted_from_the_beginning_whatever_is_said() -> None:
    book = Playbook(limited(rule(say(b"x")), lifetime=10)) >> after(9) >> b"a\n" << Send(b"x")
    ends_at(book, 1, CloseReason.MAX_LIFETIME)


def test_a_lifetime_ends_a_connection_in_the_middle_of_a_delay() -> None:
    book = Playbook(limited(rule(steps.delay_fixed(100), say(b"x")), lifetime=10)) >> b"a\n"
    ends_at(book, 10, CloseReason.MAX_LIFETIME)


def test_a_write_timeout_begins_with_the_first_refusal_of_the_kernel() -> None:
    book = Playbook(limited(rule(say(b"12345678")), write_timeout=3), room=4)
    book >> b"a\n" << Send(b"12345678")
    book >> after(2)
    book.session.blocked(book.now)  # refused once more
    book.silent() >> after(1 - TICK)
    book.silent() >> after(TICK) << Abort(CloseReason.WRITE_TIMEOUT)


def test_write_timeout_restarts_with_the_next_reply() -> None:
    book = Playbook(limited(rule(say(b"12345678")), write_timeout=3), room=4)
    book >> b"a\n" << Send(b"12345678")
    book >> after(2)
    book.read(8) >> b"a\n" << Send(b"12345678")
    book >> after(3 - TICK)
    book.silent() >> after(TICK) << Abort(CloseReason.WRITE_TIMEOUT)


def test_lingering_ends_after_its_time() -> None:
    book = Playbook(limited(rule(steps.close()))) >> b"a\n" << HalfClose() >> after(LINGER_SECONDS - TICK)
    book.silent() >> after(TICK) << Close(CloseReason.SERVER_CLOSE)


@pytest.mark.parametrize("pieces", [1, 4])
def test_lingering_ends_with_the_last_byte_that_is_discarded(pieces: int) -> None:
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


def test_an_idle_rule_answers_each_time_the_clock_has_run_down() -> None:
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


def test_durations_are_from_the_last_byte_of_a_request_to_its_reply_in_the_kernel() -> None:
    book = Playbook(limited(rule(say(b"12345678"))), room=4) >> b"ha" >> after(5) >> b"lf\n"
    book << Send(b"12345678") >> after(2)
    book.read()
    assert book.account.durations == [pytest.approx(2)]
