import pytest

from answerback.core.actions import HalfClose, Send
from answerback.core.faults import Bandwidth
from answerback.core.steps import END_IN_ORDER, Wait
from tests.core.faults.faulty import comes_of, conversation
from tests.core.playbook import after


def test_bandwidth_delays_bytes_by_their_transmission_time() -> None:
    assert comes_of(Bandwidth(100), Send(bytes(25))) == [
        Wait(0.1),
        Send(bytes(10)),
        Wait(0.1),
        Send(bytes(10)),
        Wait(0.05),
        Send(bytes(5)),
    ]


def test_bandwidth_below_a_byte_per_tick_sends_single_bytes() -> None:
    assert comes_of(Bandwidth(2), Send(b"ab")) == [Wait(0.5), Send(b"a"), Wait(0.5), Send(b"b")]


def test_bandwidth_fault_passes_waits_and_ends() -> None:
    reply = (Wait(1), HalfClose(), END_IN_ORDER, None, Send(b""))
    assert comes_of(Bandwidth(1), *reply) == [*reply]


@pytest.mark.parametrize("rate", [7, 100, 12345, 1 << 40])
def test_bandwidth_fault_never_exceeds_its_rate(rate: int) -> None:
    book = conversation(Bandwidth(rate)) >> b"hello\nabc\nhello\n" >> after(100)
    sent = 0
    for when, action in book.transcript:
        assert isinstance(action, Send)
        sent += len(action.data)
        assert sent <= (when - 1000) * rate * (1 + 1e-9)
    assert sent == 29
    book.unheard()
