from answerback.core.actions import HalfClose, Send
from answerback.core.faults import Blackhole
from answerback.core.steps import END_BY_RESET, END_IN_ORDER, Hang, Wait
from tests.core.faults.faulty import comes_of


def test_blackhole_removes_bytes_and_keeps_the_rest() -> None:
    reply = (Send(b"a"), Wait(1), Send(b"b"), HalfClose())
    assert comes_of(Blackhole(0.0), *reply) == [Wait(1), HalfClose()]


def test_blackhole_closes_in_order_behind_the_reply() -> None:
    assert comes_of(Blackhole(2.0), Send(b"a"), Wait(1)) == [Wait(1), Wait(2), END_IN_ORDER]


def test_blackhole_leaves_the_end_that_a_reply_has() -> None:
    assert comes_of(Blackhole(2.0), Send(b"a"), END_BY_RESET) == [END_BY_RESET]
    assert comes_of(Blackhole(2.0), Send(b"a"), Hang(ignore_fin=False)) == [Hang(ignore_fin=False)]
