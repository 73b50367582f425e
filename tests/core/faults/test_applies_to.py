"""The outcomes that each fault can affect; at the first one it is decided whether it applies."""

import pytest

from answerback.core.actions import HalfClose, Send
from answerback.core.delays import Fixed
from answerback.core.faults import (
    Bandwidth,
    Blackhole,
    Corrupt,
    Drop,
    Effect,
    Hang,
    Latency,
    Reset,
    SlowClose,
    Truncate,
)
from answerback.core.faults import Slice as Sliced
from answerback.core.steps import END_BY_RESET, END_IN_ORDER, StepResult, Wait

OUTCOMES: dict[str, StepResult] = {
    "bytes": Send(b"a"),
    "no bytes": Send(b""),
    "wait": Wait(1.0),
    "half close": HalfClose(),
    "close": END_IN_ORDER,
    "reset": END_BY_RESET,
    "nothing": None,
}
BYTES = {"bytes"}
TOUCHES: list[tuple[Effect, set[str]]] = [
    (Bandwidth(10), BYTES),
    (Corrupt(1), BYTES),
    (Truncate(3, by_reset=False), BYTES),
    (Drop(), BYTES),
    (Blackhole(1.0), BYTES),
    (Sliced(3, 0, 0.5), BYTES),
    (Latency(Fixed(1.0)), {"bytes", "half close", "close", "reset"}),
    (SlowClose(Fixed(1.0)), {"close"}),
    (Hang(0.0), set(OUTCOMES)),
    (Reset(0.0), set(OUTCOMES)),
]


@pytest.mark.parametrize("effect, touched", TOUCHES)
def test_fault_touches_exactly_the_outcomes_it_changes(effect: Effect, touched: set[str]) -> None:
    assert {name for name, result in OUTCOMES.items() if effect.applies_to(result)} == touched
