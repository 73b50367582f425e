from answerback.core.actions import Send
from answerback.core.faults import Slice
from answerback.core.steps import END_IN_ORDER, StepResult, Wait
from tests.core.faults.faulty import comes_of


def pieces(reply: list[StepResult]) -> list[bytes]:
    return [bytes(each.data) for each in reply if isinstance(each, Send)]


def test_slice_sends_pieces_with_a_gap_between_them() -> None:
    assert comes_of(Slice(3, 0, 0.5), Send(b"abcde"), END_IN_ORDER) == [
        Send(b"abc"),
        Wait(0.5),
        Send(b"de"),
        END_IN_ORDER,
    ]


def test_slice_fault_adds_a_gap_between_two_sends() -> None:
    assert comes_of(Slice(3, 0, 0), Send(b"ab"), Wait(1), Send(b"c")) == [Send(b"ab"), Wait(1), Wait(0), Send(b"c")]


def test_slice_varies_the_size_of_pieces() -> None:
    data = bytes(range(256)) * 40
    found = pieces(comes_of(Slice(10, 4, 0), Send(data)))
    assert b"".join(found) == data
    assert {len(piece) for piece in found[:-1]} == set(range(6, 15))
    assert found == pieces(comes_of(Slice(10, 4, 0), Send(data)))
    assert found != pieces(comes_of(Slice(10, 4, 0), Send(data), seed=2))
