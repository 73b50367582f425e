import pytest

from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.faults import Hang
from answerback.core.session.script import HANG_SECONDS
from tests.core.faults.faulty import conversation
from tests.core.playbook import after, eof


@pytest.mark.parametrize("request_line", [b"hello\n", b"close\n", b"reset\n", b"nothing\n"])
def test_hang_fault_sends_nothing_and_holds_the_connection(request_line: bytes) -> None:
    book = conversation(Hang(0)) >> request_line >> b"hello\n" >> after(HANG_SECONDS - 1)
    book.silent() >> after(1) << HalfClose() >> eof << Close(CloseReason.MAX_LIFETIME)
    assert book.account.strikes == [7]


@pytest.mark.parametrize("request_line", [b"hello\n", b"close\n", b"reset\n", b"nothing\n"])
def test_hang_fault_ends_at_fin_unless_ignored(request_line: bytes) -> None:
    conversation(Hang(0)) >> request_line >> after(100) >> eof << Close(CloseReason.PEER_GAVE_UP)
    book = conversation(Hang(0, ignore_fin=True)) >> request_line >> eof >> after(HANG_SECONDS - 1)
    book.silent() >> after(1) << Close(CloseReason.MAX_LIFETIME)


def test_hang_fault_after_an_earlier_fin_ends_at_once() -> None:
    book = conversation(Hang(1.5)) >> b"abc\n" << Send(b"a") >> eof >> after(1) << Send(b"b") >> after(0.5)
    book << Close(CloseReason.PEER_GAVE_UP)


def test_hang_fault_with_delay_lets_the_reply_begin() -> None:
    book = conversation(Hang(1.5)) >> b"abc\n" << Send(b"a") >> after(1) << Send(b"b") >> after(100)
    book.silent()


def test_hang_after_the_end_of_a_reply_withholds_the_next() -> None:
    book = conversation(Hang(1.5)) >> b"hello\nhello\n" << Send(b"hello, world\n") >> after(100)
    book.silent()


def test_hang_after_the_close_does_not_apply() -> None:
    conversation(Hang(1.5)) >> b"quit\n" << Send(b"bye\n") << HalfClose() >> eof << Close(CloseReason.SERVER_CLOSE)
