import pytest

from answerback.language.check import MAX_FAULTS, check
from answerback.language.faults.base import MAX_COMPARED
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
    "{corrupt: {bytes: 0}}": "[0].corrupt.bytes: must be at least 1, not 0",
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


NAMED = "rules: [{name: login, when: LOGIN}, {}]\n"


def test_fault_of_rules_is_rejected_for_names_that_no_rule_has() -> None:
    config = listener(NAMED + "faults: [{rules: [login, logni, 'rules[1]', 'rules[0]', ''], drop: {}}]")
    assert said(check(config, {})) == [
        "listeners[0].faults[0].rules[1]: no rule of this listener has the name 'logni'; did you mean login?",
        "listeners[0].faults[0].rules[3]: no rule of this listener has the name 'rules[0]'; did you mean rules[1]?",
        "listeners[0].faults[0].rules[4]: no rule of this listener has the name ''",
    ]


def test_names_for_an_unknown_rule_are_not_compared_with_very_many() -> None:
    rules = ", ".join(f"{{name: rule{number}}}" for number in range(MAX_COMPARED + 1))
    config = listener(f"rules: [{rules}]\nfaults: [{{rules: [rul1], drop: {{}}}}]")
    assert said(check(config, {})) == ["listeners[0].faults[0].rules[0]: no rule of this listener has the name 'rul1'"]


EFFECTS = {
    "latency": "1s",
    "slice": "{size: 1}",
    "truncate": "{}",
    "hang": "{}",
    "reset": "{}",
    "slow_close": "{delay: 1s}",
    "corrupt": "{}",
    "drop": "{}",
}


@pytest.mark.parametrize("kind", EFFECTS)
def test_fault_from_peer_of_a_kind_that_changes_replies_is_rejected(kind: str) -> None:
    assert problems(f"{{direction: FROM_PEER, {kind}: {EFFECTS[kind]}}}") == [
        f"[0].direction: FROM_PEER is for bandwidth; {kind} changes replies"
    ]
    assert problems(f"{{direction: TO_PEER, {kind}: {EFFECTS[kind]}}}") == []


def test_fault_from_peer_of_rules_or_replies_is_rejected() -> None:
    slow = "direction: FROM_PEER, bandwidth: {bytes_per_second: 1}"
    wrong = f"{{rules: [login], target: REPLY, scope: CONNECTION, {slow}}}"
    right = f"{{target: CONNECTION, {slow}}}, {{scope: PEER, times: 1, {slow}}}"
    config = listener(NAMED + f"faults: [{wrong}, {right}]")
    assert said(check(config, {})) == [
        "listeners[0].faults[0].rules: not with FROM_PEER: bytes are read before a rule matches them",
        "listeners[0].faults[0].target: not REPLY with FROM_PEER, which is decided once per connection",
        "listeners[0].faults[0].scope: not CONNECTION with FROM_PEER, which is decided once per connection",
    ]


def test_unknown_direction_is_rejected() -> None:
    config = listener()
    config.listeners[0].faults.add(direction=9, drop=v1.Fault.Drop())
    assert said(check(config, {})) == [
        "listeners[0].faults[0].direction: there is no value 9; known: DIRECTION_TO_PEER, DIRECTION_FROM_PEER",
    ]


TLS = "tls: {cert: a.crt, key: a.key}\n"


@pytest.mark.parametrize(
    "fault, wrong",
    {
        "{tls: {}}": ".tls: empty: set one of stall, reset, truncate, alert, plain_text",
        "{tls: {after: FINISHED}}": ".tls: empty: set one of stall, reset, truncate, alert, plain_text",
        "{tls: {alert: HANDSHAKE_FAILURE, after: SERVER_HELLO}}": ".tls.after: only CLIENT_HELLO with alert: "
        "what comes later is encrypted; use reset or truncate there",
        "{tls: {plain_text: {}, after: FINISHED}}": ".tls.after: only CLIENT_HELLO with plain_text: "
        "what comes later is encrypted; use reset or truncate there",
        "{rules: [login], tls: reset}": ".rules: not with tls: a handshake is no reply of a rule",
        "{target: REPLY, tls: reset}": ".target: not REPLY with tls, which is decided once for each handshake",
        "{scope: CONNECTION, times: 1, tls: reset}": ".scope: not CONNECTION with tls: a connection has one handshake",
        "{direction: FROM_PEER, tls: reset}": ".direction: not FROM_PEER with tls, which changes what the server sends",
    }.items(),
)
def test_fault_of_tls_is_rejected_where_it_cannot_apply(fault: str, wrong: str) -> None:
    config = listener(f"{TLS}{NAMED}faults: [{fault}]")
    assert said(check(config, {})) == [f"listeners[0].faults[0]{wrong}"]


def test_fault_of_tls_is_rejected_on_a_listener_without_tls() -> None:
    why = "the listener has no handshakes: it needs `tls: {cert: FILE, key: FILE}`"
    assert problems("{tls: reset}") == [f"[0].tls: {why}"]
    assert said(check(listener(TLS + "faults: [{direction: TO_PEER, target: CONNECTION, tls: reset}]"), {})) == []


def test_fault_of_tls_with_values_that_only_the_api_can_give_is_rejected() -> None:
    config = listener(TLS)
    config.listeners[0].faults.add(tls=v1.Fault.Tls(alert=0, after=9))  # type: ignore[arg-type]
    config.listeners[0].faults.add(tls=v1.Fault.Tls(alert=90))  # type: ignore[arg-type]
    found = said(check(config, {}))
    assert found[0] == (
        "listeners[0].faults[0].tls.after: there is no value 9; "
        "known: POINT_CLIENT_HELLO, POINT_SERVER_HELLO, POINT_FINISHED"
    )
    assert "listeners[0].faults[0].tls.alert: no alert: write its name, HANDSHAKE_FAILURE for example" in found
    assert any(line.startswith("listeners[0].faults[1].tls.alert: there is no value 90; known: ") for line in found)
