import pytest

from answerback.language.check import check
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import rule, said


def problems(delay: str) -> list[str]:
    found = said(check(rule(f"do: [delay: {delay}]"), {}))
    return [line.removeprefix("listeners[0].rules[0].do[0].delay.") for line in found]


@pytest.mark.parametrize(
    "delay",
    [
        "{uniform: {max: 0}}",
        "{uniform: {min: 1h, max: 1h}}",
        "{uniform: {min: -1h, max: 1h}}",
        "{normal: {mean: 0, deviation: 0}}",
        "{normal: {mean: 1h, deviation: 1h}}",
        "{lognormal: {median: 1ns, sigma: 10, max: 0}}",
        "{exponential: {mean: 1h, max: 1h}}",
    ],
)
def test_delay_at_its_bounds_is_valid(delay: str) -> None:
    assert problems(delay) == []


WRONG = {
    "{uniform: {}}": ["uniform.max: missing: it has no default"],
    "{uniform: {min: 2s, max: 1s}}": ["uniform: min, 2s, is more than max, 1s"],
    "{uniform: {min: -2h, max: 2h}}": [
        "uniform.min: must be -1h to 1h, not -2h",
        "uniform.max: must be 0 to 1h, not 2h",
    ],
    "{normal: {mean: 61m, deviation: -1s}}": [
        "normal.mean: must be 0 to 1h, not 1h1m",
        "normal.deviation: must be 0 to 1h, not -1s",
    ],
    "{normal: {}}": ["normal.mean: missing: it has no default", "normal.deviation: missing: it has no default"],
    "{lognormal: {median: 0, sigma: 11, max: 2h}}": [
        "lognormal.median: must be more than 0",
        "lognormal.max: must be 0 to 1h, not 2h",
        "lognormal.sigma: must be more than 0, at most 10, not 11",
    ],
    "{lognormal: {median: 1s, sigma: 0}}": ["lognormal.sigma: must be more than 0, at most 10, not 0"],
    "{lognormal: {median: 1s, sigma: -1}}": ["lognormal.sigma: must be more than 0, at most 10, not -1"],
    "{exponential: {mean: 0}}": ["exponential.mean: must be more than 0"],
    "{exponential: {mean: 2h, max: -1s}}": [
        "exponential.mean: must be 0 to 1h, not 2h",
        "exponential.max: must be 0 to 1h, not -1s",
    ],
}


@pytest.mark.parametrize("delay, wrong", WRONG.items())
def test_invalid_delay_is_rejected_with_all_problems(delay: str, wrong: list[str]) -> None:
    assert problems(delay) == wrong


@pytest.mark.parametrize("sigma", [float("nan"), float("inf")])
def test_lognormal_sigma_nan_or_infinite_is_rejected(sigma: float) -> None:
    config = rule("do: [delay: {lognormal: {median: 1s, sigma: 1}}]")
    config.listeners[0].rules[0].do[0].delay.lognormal.sigma = sigma
    (problem,) = check(config, {})
    assert problem.message == f"must be more than 0, at most 10, not {sigma}"


def test_empty_delay_in_a_latency_fault_is_rejected() -> None:
    config = v1.Config(listeners=[v1.Listener(name="it", address="127.0.0.1:0")])
    config.listeners[0].faults.add().latency.SetInParent()
    assert said(check(config, {})) == [
        "listeners[0].faults[0].latency: empty: set one of fixed, uniform, normal, lognormal, exponential"
    ]
