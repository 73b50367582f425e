import pytest

from answerback.core.actions import CloseReason, HalfClose, Reset, Send
from answerback.core.faults import Hang
from answerback.core.faults import Reset as Resetting
from answerback.core.steps import END_BY_RESET, Wait
from tests.core.faults.faulty import comes_of, conversation
from tests.core.playbook import after

RESET = Reset(CloseReason.SERVER_RESET)


@pytest.mark.parametrize("request_line", [b"hello\n", b"close\n", b"nothing\n"])
def test_reset_fault_without_delay_resets_at_once(request_line: bytes) -> None:
    assert (conversation(Resetting(0)) >> request_line << RESET).account.strikes == [7]


def test_reset_fault_with_delay_resets_in_the_middle_of_a_reply() -> None:
    book = conversation(Resetting(1.5)) >> b"abc\n" << Send(b"a") >> after(1) << Send(b"b") >> after(0.4)
    book.silent() >> after(0.1) << RESET


def test_reset_fault_with_delay_counts_from_the_beginning_of_the_reply() -> None:
    book = conversation(Resetting(1.5)) >> b"hello\nhello\n" << Send(b"hello, world\n") >> after(1.4)
    book.silent() >> after(0.1) << RESET


def test_reset_fault_applies_to_a_hanging_connection() -> None:
    book = conversation(Hang(0), Resetting(2)) >> b"hello\n" >> after(1.9)
    book.silent() >> after(0.1) << RESET


def test_reset_fault_after_the_close_does_not_apply() -> None:
    conversation(Resetting(1)) >> b"quit\n" << Send(b"bye\n") << HalfClose()


def test_reset_fault_delay_does_not_include_waiting_in_receive() -> None:
    book = conversation(Resetting(1)) >> b"take\n" >> after(10)
    book.silent() >> b"this\n" << Send(b"this") >> after(1) << RESET


def test_reset_that_discards_sends_nothing_before_it() -> None:
    reply = (Send(b"a"), Wait(1), Send(b"b"), Wait(5), Send(b"c"))
    assert comes_of(Resetting(2.0, discard=True), *reply) == [Wait(1), Wait(1), END_BY_RESET]
