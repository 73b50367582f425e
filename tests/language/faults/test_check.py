import pytest

from answerback.language.check import MAX_FAULTS, check
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener, members, said


def problems(*faults: str) -> list[str]:
    """What is wrong with a listener's faults; the path is that within the list."""
    found = said(check(listener(f"faults: [{', '.join(faults)}]"), {}))
    return [line.removeprefix("listeners[0].faults") for line in found]


WRONG = {
    "{}": f"[0]: empty: set one of {members(v1.Fault())}",
    "{probability: 1.5, drop: {}}": "[0].probability: must be 0 to 1, not 1.5",
    "{probability: -0.5, drop: {}}": "[0].probability: must be 0 to 1, not -0.5",
    "{latency: 2h}": "[0].latency.fixed: must be 0 to 1h, not 2h",
    "{bandwidth: {}}": "[0].bandwidth.bytes_per_second: missing: it has no default",
    "{bandwidth: {bytes_per_second: 0}}": "[0].bandwidth.bytes_per_second: must be 1 to 18446744073709551615, not 0",
    "{slice: {gap: 1s}}": "[0].slice.size: missing: it has no default",
    "{slice: {size: 16777217}}": "[0].slice.size: must be 1 to 16777216, not 16777217",
    "{slice: {size: 5, variation: 5}}": "[0].slice.variation: must be less than size, 5, not 5",
    "{slice: {size: 5, gap: 2h}}": "[0].slice.gap: must be 0 to 1h, not 2h",
    "{hang: {after: -1s}}": "[0].hang.after: must be 0 to 1h, not -1s",
    "{reset: {after: 2h}}": "[0].reset.after: must be 0 to 1h, not 2h",
    "{slow_close: {}}": "[0].slow_close.delay: missing: it has no default",
    "{slow_close: {delay: 2h}}": "[0].slow_close.delay.fixed: must be 0 to 1h, not 2h",
    "{per: 1s, drop: {}}": "[0].per: only with `times`: it is what is counted in each window",
    "{times: 1, per: 2h, drop: {}}": "[0].per: must be 0 to 1h, not 2h",
    "{times: 1, per: 0s, drop: {}}": "[0].per: must be more than 0: the window in which applications are counted",
    "{corrupt: {bytes: 0}}": "[0].corrupt.bytes: must be at least 1",
}


@pytest.mark.parametrize("fault, wrong", WRONG.items())
def test_invalid_fault_is_rejected_with_its_problem(fault: str, wrong: str) -> None:
    assert problems(fault) == [wrong]


def test_all_problems_of_faults_are_reported_together() -> None:
    assert problems("{probability: 2, slice: {size: 1, variation: 2, gap: 2h}}", "{reset: {after: 2h}}") == [
        "[0].probability: must be 0 to 1, not 2",
        "[0].slice.gap: must be 0 to 1h, not 2h",
        "[0].slice.variation: must be less than size, 1, not 2",
        "[1].reset.after: must be 0 to 1h, not 2h",
    ]


def test_fault_name_duplicate_or_too_long_is_rejected() -> None:
    assert problems("{name: a, drop: {}}", "drop", "{name: a, hang: {}}", "{name: 'faults[1]', truncate: {}}") == [
        "[2].name: 'a' is what faults[0] is counted under already",
        "[3].name: 'faults[1]' is what faults[1] is counted under already",
    ]
    assert problems(f"{{name: {'n' * 129}, drop: {{}}}}") == [
        f"[0].name: at most 128 printable characters, not '{'n' * 59}…'"
    ]


def test_rule_and_fault_may_share_a_name() -> None:
    assert check(listener("rules: [{name: a}]\nfaults: [{name: a, drop: {}}]"), {}) == []


def test_more_than_max_faults_are_rejected() -> None:
    assert problems(*["drop"] * MAX_FAULTS) == []
    assert problems(*["drop"] * (MAX_FAULTS + 1)) == [f": {MAX_FAULTS + 1} faults; the maximum is {MAX_FAULTS}"]


def test_fault_with_unknown_target_or_nan_probability_is_rejected() -> None:
    config = listener()
    config.listeners[0].faults.add(target=9, probability=float("nan"), drop=v1.Fault.Drop())
    assert said(check(config, {})) == [
        "listeners[0].faults[0].target: there is no value 9; known: TARGET_REPLY, TARGET_CONNECTION",
        "listeners[0].faults[0].probability: must be 0 to 1, not nan",
    ]
