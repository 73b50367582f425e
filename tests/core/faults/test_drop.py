from answerback.core.actions import HalfClose, Send
from answerback.core.faults import Drop
from answerback.core.steps import END_IN_ORDER, Wait
from tests.core.faults.faulty import comes_of, conversation


def test_bytes_are_swallowed_and_all_else_is_done() -> None:
    assert comes_of(Drop(), Send(b"a"), Wait(1), Send(b"b"), END_IN_ORDER) == [Wait(1), END_IN_ORDER]


def test_a_rule_that_closes_still_closes() -> None:
    book = conversation(Drop()) >> b"hello\nquit\n" << HalfClose()
    assert book.account.strikes == [7, 7]
    assert len(book.account.durations) == 1 + 1
