import pytest

from answerback.core.actions import Action, Close, CloseReason, HalfClose, Reset, Send
from answerback.core.bounded_counter import CountedFor
from answerback.core.faults import Truncate
from answerback.core.faults.truncate import CUT
from answerback.core.steps import END_BY_RESET, Wait
from tests.core.faults.faulty import comes_of, conversation, fault
from tests.core.playbook import eof


@pytest.mark.parametrize("by_reset, end", [(False, HalfClose()), (True, Reset(CloseReason.SERVER_RESET))])
def test_truncate_ends_a_reply_after_its_bytes(by_reset: bool, end: Action) -> None:
    conversation(Truncate(9, by_reset)) >> b"hello\nhello\n" << Send(b"hello, wo") << end


def test_truncate_fault_at_0_sends_nothing() -> None:
    conversation(Truncate(0, by_reset=False)) >> b"hello\n" << HalfClose() >> eof << Close(CloseReason.SERVER_CLOSE)


def test_truncate_fault_after_exactly_its_bytes_closes() -> None:
    conversation(Truncate(13, by_reset=False)) >> b"hello\nhello\n" << Send(b"hello, world\n") << HalfClose()


def test_truncate_keeps_a_shorter_reply_whole() -> None:
    book = conversation(Truncate(14, by_reset=False)) >> b"hello\nhello\n" << Send(b"hello, world\nhello, world\n")
    book.silent()


def test_truncate_fault_per_connection_counts_all_replies() -> None:
    cut = fault(Truncate(20, by_reset=False), per_connection=True, scope=CountedFor.CONNECTION)
    conversation(cut) >> b"hello\n" << Send(b"hello, world\n") >> b"hello\n" << Send(b"hello, ") << HalfClose()


def test_truncate_passes_waits_and_sends_nothing_after_the_end() -> None:
    reply = (Send(b"a"), Wait(1), Send(b""), Send(b"bcd"), Wait(1), Send(b"e"))
    assert comes_of(Truncate(3, by_reset=False), *reply) == [Send(b"a"), Wait(1), Send(b""), Send(b"bc"), CUT]
    assert comes_of(Truncate(4, by_reset=True), *reply) == [Send(b"a"), Wait(1), Send(b""), Send(b"bcd"), END_BY_RESET]
