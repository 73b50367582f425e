from answerback.core.actions import HalfClose, Send
from answerback.core.faults import Drop
from answerback.core.steps import END_IN_ORDER, Wait
from tests.core.faults.faulty import comes_of, conversation


def test_drop_removes_bytes_and_keeps_waits_and_ends() -> None:
    assert comes_of(Drop(), Send(b"a"), Wait(1), Send(b"b"), END_IN_ORDER) == [Wait(1), END_IN_ORDER]


def test_drop_keeps_the_close_of_a_rule() -> None:
    book = conversation(Drop()) >> b"hello\nquit\n" << HalfClose()
    assert book.account.strikes == [7, 7]
    assert len(book.account.durations) == 1 + 1
