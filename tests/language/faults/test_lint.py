import pytest

from tests.language.test_lint import advice


def faults(text: str) -> list[str]:
    return [line.removeprefix("faults") for line in advice(f"faults: [{text}]\nrules: [{{do: [send: x]}}]")]


def test_lint_warns_of_fault_with_probability_0() -> None:
    assert faults("{probability: 0, drop: {}}") == ["[0]: never applies: its probability is 0"]


@pytest.mark.parametrize(
    "first", ["hang", "reset", "truncate", "drop", "{probability: 1, every: 1, reset: {after: 0}}"]
)
def test_faults_after_one_that_leaves_no_bytes_are_warned_of(first: str) -> None:
    needing = "{bandwidth: {bytes_per_second: 1}}, {slice: {size: 1}}, truncate, corrupt, drop"
    assert faults(f"{first}, {{latency: 1s}}, hang, reset, {{slow_close: {{delay: 1s}}}}, {needing}") == [
        f"[{index}]: never applies: faults[0] leaves no bytes of any reply" for index in range(5, 10)
    ]


@pytest.mark.parametrize("when", ["probability: 0.5", "skip: 1", "times: 1", "every: 2", "rules: ['rules[0]']"])
def test_lint_does_not_call_faults_behind_conditional_fault_unreachable(when: str) -> None:
    assert (
        faults(
            f"{{{when}, reset: {{}}}}, {{{when}, drop: {{}}}}, {{reset: {{after: 1s}}}},"
            "{truncate: {bytes: 1}}, corrupt"
        )
        == []
    )


@pytest.mark.parametrize("when", ["skip: 1", "every: 2"])
def test_slow_close_that_skips_the_first_close_is_warned_of(when: str) -> None:
    assert faults(f"{{target: CONNECTION, {when}, slow_close: {{delay: 1s}}}}") == [
        "[0]: never applies: a connection is closed once"
    ]


def test_lint_knows_that_a_slow_reader_needs_no_reply() -> None:
    assert faults("drop, {direction: FROM_PEER, bandwidth: {bytes_per_second: 1}}") == []
