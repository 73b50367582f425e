"""What a value costs, and what it depends on."""

import pytest

from answerback.core.expressions import Reads, Type, Value
from answerback.core.expressions.values import apply, apply_in_context, constant
from tests.core.turns import MadeUp

TEXT = Value(Type.BYTES, lambda context: context.request, Reads.REQUEST)
NUMBER = Value(Type.INT, lambda context: context.number, Reads.CONNECTION, weight=5)
TWO = constant(Type.INT, 2)


@pytest.mark.parametrize(
    "value, weight",
    [
        (TEXT, 1),
        (apply(len, [TEXT], Type.INT), 2),
        (apply(max, [TEXT, NUMBER], Type.INT, weight=3), 9),
        (apply(max, [TWO, TWO], Type.INT), 1),
        (apply_in_context(lambda _: 0, [], Type.INT, Reads.CHANCE), 1),
        (apply_in_context(lambda _, __: 0, [NUMBER], Type.INT, Reads.CHANCE), 6),
        (apply_in_context(lambda _, __: 0, [NUMBER], Type.INT, Reads.CHANCE, weight=3), 8),
    ],
)
def test_value_costs_what_its_function_and_arguments_do(value: Value, weight: int) -> None:
    assert value.weight == weight


def test_value_depends_on_what_its_arguments_and_its_function_depend_on() -> None:
    assert apply(max, [TEXT, NUMBER], Type.INT).reads == Reads.REQUEST | Reads.CONNECTION
    assert apply_in_context(lambda *_: 0, [TEXT], Type.INT, Reads.CHANCE).reads == Reads.REQUEST | Reads.CHANCE
    assert apply(max, [TWO, TWO], Type.INT).constant == 2


@pytest.mark.parametrize("arguments", [[TWO, NUMBER], [NUMBER, TWO], [NUMBER, NUMBER], [NUMBER], [NUMBER, TWO, NUMBER]])
def test_function_gets_its_arguments_in_their_order(arguments: list[Value]) -> None:
    turn = MadeUp(number=7)
    numbers = tuple(2 if each is TWO else 7 for each in arguments)
    assert apply(lambda *given: given, arguments, Type.INT).of(turn) == numbers
    assert apply_in_context(lambda *given: given, arguments, Type.INT, Reads.CHANCE).of(turn) == (turn, *numbers)
