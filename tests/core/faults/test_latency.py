import pytest

from answerback.core.actions import Close, CloseReason, HalfClose, Reset, Send
from answerback.core.delays import Fixed, Uniform
from answerback.core.faults import Latency
from tests.core.faults.faulty import conversation
from tests.core.playbook import after, eof

SECOND = Latency(Fixed(1))


def test_latency_fault_delays_the_reply() -> None:
    book = conversation(SECOND) >> b"hello\n" >> after(0.9)
    book.silent() >> after(0.1) << Send(b"hello, world\n")
    assert book.account.delays == [1]
    assert book.account.strikes == [7]


def test_latency_is_added_to_delays_of_the_reply() -> None:
    book = conversation(SECOND) >> b"abc\n" >> after(1) << Send(b"a") >> after(1) << Send(b"b")
    book.silent()


def test_latency_keeps_the_order_of_replies() -> None:
    book = conversation(SECOND) >> b"1\n2\n" >> after(1) << Send(b"1")
    book.silent() >> after(1) << Send(b"2")


def test_latency_fault_delays_the_end() -> None:
    book = conversation(SECOND) >> b"close\n" >> after(0.9)
    book.silent() >> after(0.1) << HalfClose() >> eof << Close(CloseReason.SERVER_CLOSE)
    (conversation(SECOND) >> b"reset\n" >> after(1)) << Reset(CloseReason.SERVER_RESET)


def test_latency_fault_does_not_strike_without_a_reply() -> None:
    book = conversation(SECOND) >> b"nothing\n" >> after(1)
    assert book.silent().account.strikes == []


def test_latency_is_drawn_for_each_reply() -> None:
    book = conversation(Latency(Uniform(0.5, 1.5))) >> b"1\n2\n3\n" >> after(10)
    assert len({*book.account.delays}) == 3
    assert all(0.5 <= delay <= 1.5 for delay in book.account.delays)
    assert [when - 1000 for when, _ in book.transcript] == pytest.approx(
        [sum(book.account.delays[: n + 1]) for n in range(3)]
    )
    book.unheard()
