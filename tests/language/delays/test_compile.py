import pytest

from answerback.core.delays import MAX_SECONDS, Delay, Exponential, Fixed, Lognormal, Normal, Uniform
from answerback.core.steps import Wait
from answerback.language.delays import compile_delay
from answerback.v1 import config_pb2 as v1
from tests.language.compiling import RequestContext, selected
from tests.language.configurations import rule

DELAYS = {
    "300ms": Fixed(0.3),
    "{uniform: {max: 2s}}": Uniform(0, 2),
    "{uniform: {min: 1s, max: 2s}}": Uniform(1, 2),
    "{normal: {mean: 1s, deviation: 100ms}}": Normal(1, 0.1),
    "{lognormal: {median: 20ms, sigma: 0.5}}": Lognormal(0.02, 0.5, MAX_SECONDS),
    "{lognormal: {median: 20ms, sigma: 0.5, max: 0}}": Lognormal(0.02, 0.5, 0),
    "{exponential: {mean: 1s}}": Exponential(1, MAX_SECONDS),
    "{exponential: {mean: 1s, max: 3s}}": Exponential(1, 3),
}


@pytest.mark.parametrize("text, delay", DELAYS.items())
def test_delay_compiles_to_its_distribution(text: str, delay: Delay) -> None:
    assert compile_delay(rule(f"do: [delay: {text}]").listeners[0].rules[0].do[0].delay) == delay


def test_compile_of_empty_delay_is_rejected() -> None:
    with pytest.raises(ValueError, match="a delay says nothing"):
        compile_delay(v1.Delay())


def test_fixed_delay_is_compiled_to_a_wait_and_others_are_drawn() -> None:
    found = selected(rule("do: [delay: 1s, delay: {uniform: {min: 1s, max: 2s}}]"), RequestContext(b"x"))
    assert found is not None
    fixed, drawn = found.steps
    assert fixed == Wait(1)
    assert callable(drawn)
    wait = drawn(RequestContext(b"x"))
    assert isinstance(wait, Wait)
    assert 1 <= wait.seconds <= 2
