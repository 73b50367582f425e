import pytest

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose, Reset, Send
from answerback.core.delays import Fixed
from answerback.core.faults import SlowClose
from answerback.core.plan import Limits
from tests.core.faults.faulty import conversation, fault, plan, rule
from tests.core.playbook import Happening, Playbook, after, drain, eof

SLOW = SlowClose(Fixed(1))


def test_slow_close_delays_the_close_of_a_rule() -> None:
    book = conversation(SLOW) >> b"quit\nhello\n" << Send(b"bye\n") >> after(0.9)
    book.silent() >> after(0.1) << HalfClose() >> eof << Close(CloseReason.SERVER_CLOSE)
    assert book.account.strikes == [7]


def test_slow_close_delays_the_close_after_fin() -> None:
    book = conversation(SLOW) >> b"hello\n" << Send(b"hello, world\n") >> eof >> after(0.9)
    book.silent() >> after(0.1) << Close(CloseReason.PEER_EOF)
    assert book.account.strikes == [7]
    assert len(book.account.durations) == 1


def test_slow_close_comes_after_the_reply_to_eof() -> None:
    book = Playbook(plan(SLOW, on_eof=rule(steps.send(b"bye\n")))) >> eof << Send(b"bye\n") >> after(0.9)
    book.silent() >> after(0.1) << Close(CloseReason.PEER_EOF)


@pytest.mark.parametrize("happening, reason", [(drain, CloseReason.DRAIN), (after(5), CloseReason.IDLE_TIMEOUT)])
def test_slow_close_delays_closes_by_timeout_and_drain(happening: Happening, reason: CloseReason) -> None:
    book = Playbook(plan(SLOW, limits=Limits(idle_timeout=5))) >> happening >> after(0.9)
    book.silent() >> after(0.1) << HalfClose() >> eof << Close(reason)


def test_slow_close_with_receive_pending_ignores_late_request() -> None:
    book = Playbook(plan(SLOW, limits=Limits(idle_timeout=5))) >> b"take\n" >> after(5) >> b"this\n" >> after(0.9)
    book.silent() >> after(0.1) << HalfClose()


def test_slow_close_with_fin_while_waiting_ends_as_planned() -> None:
    book = conversation(SLOW) >> drain >> after(0.5) >> eof >> after(0.5) << Close(CloseReason.DRAIN)
    assert book.session.over


def test_slow_close_does_not_delay_a_close_by_limits() -> None:
    book = Playbook(plan(SLOW, limits=Limits(lifetime=2.5))) >> b"abc\n" << Send(b"a") >> eof >> after(1) << Send(b"b")
    book >> after(1) << Send(b"c") >> after(0.5) << Close(CloseReason.MAX_LIFETIME)


def test_slow_close_does_not_delay_a_reset() -> None:
    assert (conversation(SLOW) >> b"reset\n" << Reset(CloseReason.SERVER_RESET)).account.strikes == []


def test_slow_close_with_times_counts_closes() -> None:
    once = plan(fault(SLOW, times=1))
    book = Playbook(once)
    connection = book.session.connection
    book >> b"hello\n" << Send(b"hello, world\n") >> eof >> after(1) << Close(CloseReason.PEER_EOF)
    assert connection is not None
    assert connection.next_number(101, 1) is None
