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
@pytest.mark.parametrize("scope", ["target: CONNECTION", "scope: CONNECTION", "target: CONNECTION, scope: CONNECTION"])
def test_slow_close_that_skips_the_first_close_is_warned_of(scope: str, when: str) -> None:
    assert faults(f"{{{scope}, {when}, slow_close: {{delay: 1s}}}}") == [
        "[0]: never applies: a connection is closed once"
    ]


@pytest.mark.parametrize("scope", ["LISTENER", "PEER"])
def test_slow_close_that_skips_connections_is_not_warned_of(scope: str) -> None:
    assert faults(f"{{target: CONNECTION, scope: {scope}, skip: 1, slow_close: {{delay: 1s}}}}") == []


def test_lint_warns_of_a_scope_of_faults_without_a_count() -> None:
    assert faults("{scope: PEER, probability: 0.5, drop: {}}, {scope: CONNECTION, every: 1, hang: {}}") == [
        "[0].scope: has no effect: neither skip, times nor every is set",
        "[1].scope: has no effect: neither skip, times nor every is set",
    ]
    assert faults("{scope: PEER, skip: 1, hang: {}}") == faults("{scope: PEER, times: 1, hang: {}}") == []
    assert faults("{scope: PEER, every: 2, hang: {}}") == []


def test_lint_warns_of_a_fault_of_rules_on_limit_alone() -> None:
    limits = "limits: {max_connections: 1}\nrules: [{event: LIMIT, name: full, do: [send: x]}, {do: [send: x]}]\n"
    assert advice(limits + "faults: [{rules: [full], drop: {}}]") == [
        "faults[0]: never applies: what rules on LIMIT send goes through no fault"
    ]
    assert advice(limits + "faults: [{rules: [full, 'rules[1]'], drop: {}}, drop]") == []


def test_lint_knows_that_a_slow_reader_needs_no_reply() -> None:
    assert faults("drop, {direction: FROM_PEER, bandwidth: {bytes_per_second: 1}}") == []


def test_lint_knows_that_a_handshake_needs_no_reply() -> None:
    found = advice("tls: {cert: a.crt, key: a.key}\nfaults: [drop, {tls: reset}]\nrules: [{do: [send: x]}]")
    assert found == []
