from types import GeneratorType

import pytest

from answerback.core import steps
from answerback.core.actions import Send
from answerback.core.steps import Step, Wait
from tests.core.plans import template
from tests.core.steps.taking import taken


def pieces_of(step: Step) -> list[Send | Wait]:
    result = taken(step)
    assert isinstance(result, GeneratorType)
    return list(result)


@pytest.mark.parametrize(
    "chunks,size,pieces",
    [(3, 0, [b"abc", b"de", b"fg"]), (1, 0, [b"abcdefg"]), (9, 0, list(b"abcdefg")), (0, 3, [b"abc", b"def", b"g"])],
)
def test_dribble_step_sends_pieces_with_gaps(chunks: int, size: int, pieces: list[bytes | int]) -> None:
    wanted: list[Send | Wait] = []
    for piece in pieces:
        wanted += [Wait(0.1), Send(piece if isinstance(piece, bytes) else bytes((piece,)))]
    assert pieces_of(steps.dribble(b"abcdefg", chunks=chunks, size=size, gap=0.1)) == wanted[1:]
    assert pieces_of(steps.dribble(template("abc${unhex('64')}efg"), chunks=chunks, size=size, gap=0.1)) == wanted[1:]


def test_dribble_step_of_empty_payload_sends_nothing() -> None:
    assert pieces_of(steps.dribble(b"", chunks=3, gap=1)) == []
    assert pieces_of(steps.dribble(template("${vars.none}"), size=3, gap=1)) == []
