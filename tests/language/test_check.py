import pytest
from hypothesis import given

from answerback.language.check import MAX_LISTENERS, MAX_RULES, check
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener, members, said
from tests.language.strategies import configs, few


@few
@given(configs())
def test_every_valid_configuration_has_no_problems(config: v1.Config) -> None:
    assert check(config, {}) == []


STEPS = members(v1.Step())


def two(first: str, second: str) -> v1.Config:
    return v1.Config(listeners=[v1.Listener(name="a", address=first), v1.Listener(name="b", address=second)])


@pytest.mark.parametrize("name", ["a", "0", "A.b_c-d", "x" * 63])
def test_listener_name_within_63_characters_is_valid(name: str) -> None:
    assert check(v1.Config(listeners=[v1.Listener(name=name, address="127.0.0.1:0")]), {}) == []


@pytest.mark.parametrize("name", ["-a", ".a", "a b", "é", "a\n", "x" * 64, "a/b"])
def test_listener_name_with_other_characters_is_rejected(name: str) -> None:
    (problem,) = check(v1.Config(listeners=[v1.Listener(name=name, address="127.0.0.1:0")]), {})
    assert problem.path == "listeners[0].name"
    assert problem.message.startswith(
        "letters, digits, `.`, `_` and `-`, the first a letter or digit, 63 at most, not "
    )


def test_listener_without_name_or_address_is_rejected() -> None:
    assert said(check(v1.Config(listeners=[v1.Listener()]), {})) == [
        "listeners[0].name: missing: a listener needs a name",
        "listeners[0].address: missing: write HOST:PORT, like 127.0.0.1:8000, 0.0.0.0:8000 or [::1]:8000",
    ]


def test_duplicate_listener_name_is_rejected() -> None:
    config = two("127.0.0.1:1", "127.0.0.1:2")
    config.listeners[1].name = "a"
    assert said(check(config, {})) == ["listeners[1].name: a is already the name of listeners[0]"]


def test_listeners_on_overlapping_addresses_are_rejected() -> None:
    assert said(check(two("127.0.0.1:80", "0.0.0.0:80"), {})) == [
        "listeners[1].address: 0.0.0.0:80 overlaps 127.0.0.1:80 (listeners[0])",
    ]
    assert check(two("[::]:80", "0.0.0.0:80"), {}) == []
    assert check(two("127.0.0.1:0", "127.0.0.1:0"), {}) == []


def test_listeners_on_the_same_unix_socket_are_rejected() -> None:
    assert said(check(two("unix:/run/a", "unix:/run//a"), {})) == [
        "listeners[1].address: unix:/run/a overlaps unix:/run/a (listeners[0])"
    ]


@pytest.mark.parametrize("accept", v1.Accept.values())
def test_accept_refuse_or_stall_on_unix_socket_is_rejected(accept: v1.Accept.ValueType) -> None:
    config = two("unix:/run/a", "127.0.0.1:80")
    for each in config.listeners:
        each.accept = accept
    why = "a Unix socket can neither refuse nor stall: use CLOSE, RESET or HOLD"
    wrong = accept in (v1.ACCEPT_REFUSE, v1.ACCEPT_STALL)
    assert said(check(config, {})) == ([f"listeners[0].accept: {why}"] if wrong else [])


def test_max_connections_per_peer_of_a_unix_listener_is_rejected() -> None:
    config = two("unix:/run/a", "127.0.0.1:80")
    for each in config.listeners:
        each.limits.max_connections_per_peer = 2
    why = "clients of a Unix socket have no address: set max_connections instead"
    assert said(check(config, {})) == [f"listeners[0].limits.max_connections_per_peer: {why}"]


def test_listener_on_reserved_address_is_rejected() -> None:
    reserved = [("the admin API", "127.0.0.1:50051"), ("metrics", "0.0.0.0:9464")]
    assert said(check(two("0.0.0.0:50051", "127.0.0.1:9464"), {}, reserved=reserved)) == [
        "listeners[0].address: 0.0.0.0:50051 overlaps the admin API (127.0.0.1:50051)",
        "listeners[1].address: 127.0.0.1:9464 overlaps metrics (0.0.0.0:9464)",
    ]


def test_more_than_256_listeners_are_rejected() -> None:
    config = v1.Config(
        listeners=[v1.Listener(name=f"l{n}", address=f"127.0.0.1:{n + 1}") for n in range(MAX_LISTENERS + 1)]
    )
    assert said(check(config, {})) == ["listeners: 257 listeners; the maximum is 256"]
    del config.listeners[-1]
    assert check(config, {}) == []


def test_more_than_10000_rules_in_all_are_rejected() -> None:
    config = two("127.0.0.1:1", "127.0.0.1:2")
    for each in config.listeners:
        each.rules.extend([v1.Rule()] * (MAX_RULES // 2))
    assert check(config, {}) == []
    config.listeners[0].rules.append(v1.Rule(do=[v1.Step()]))
    assert said(check(config, {})) == [
        f"listeners[0].rules[5000].do[0]: empty: set one of {STEPS}",
        "listeners: 10001 rules in all; the maximum is 10000",
    ]


def test_rule_name_duplicate_or_invalid_is_rejected() -> None:
    config = listener(
        "rules: [{name: a}, {name: a}, {name: 'rules[3]'}, {}, {name: \"b\\n\"}, {name: %s}]" % ("x" * 129)
    )
    assert said(check(config, {})) == [
        "listeners[0].rules[1].name: 'a' is what rules[0] is counted under already",
        "listeners[0].rules[3].name: 'rules[3]' is what rules[2] is counted under already",
        "listeners[0].rules[4].name: at most 128 printable characters, not 'b\\n'",
        f"listeners[0].rules[5].name: at most 128 printable characters, not '{'x' * 59}…'",
    ]


def test_unknown_field_numbers_are_rejected() -> None:
    newer = v1.Config.FromString(listener("rules: [{do: [echo]}]").SerializeToString() + bytes([0xF8, 0x01, 0x05]))
    newer.listeners[0].rules[0].MergeFromString(bytes([0xF2, 0x01, 0x00]))
    assert said(check(newer, {})) == [
        ": field number 31 is not known to this version",
        "listeners[0].rules[0]: field number 30 is not known to this version",
    ]


def test_problems_are_limited_to_1000() -> None:
    config = listener("rules: [{}]")
    config.listeners[0].rules[0].do.extend([v1.Step()] * 50_000)
    problems = check(config, {})
    assert len(problems) == 1001
    assert problems[-1].message == "there may be more than these 1000 problems"


def test_check_returns_all_problems_at_once() -> None:
    config = listener("rules: [{do: [send: {hex: a}]}]", name="'?'", address="x", limits="{max_request_bytes: 0}")
    assert [problem.path for problem in check(config, {})] == [
        "listeners[0].name",
        "listeners[0].address",
        "listeners[0].limits.max_request_bytes",
        "listeners[0].rules[0].do[0].send.hex",
    ]


REQUIRED = {
    "framing: {delimiter: {keep: true}}": "framing.delimiter.end",
    "framing: {pattern: {}}": "framing.pattern.end",
    "framing: {idle: {}}": "framing.idle.gap",
    "rules: [{when: {bytes: {offset: 1}}}]": "rules[0].when.bytes.equals",
    "rules: [{replies: {then: CYCLE}}]": "rules[0].replies.of",
    "rules: [{do: [{dribble: {chunks: 3, gap: 1s}}]}]": "rules[0].do[0].dribble.payload",
    "rules: [{do: [{dribble: {payload: a, chunks: 3}}]}]": "rules[0].do[0].dribble.gap",
    "rules: [{do: [{set: {name: a}}]}]": "rules[0].do[0].set.value",
    "rules: [{do: [{receive: {into: a}}]}]": "rules[0].do[0].receive.framing",
}


@pytest.mark.parametrize("text, path", REQUIRED.items())
def test_required_field_missing_is_rejected(text: str, path: str) -> None:
    assert said(check(listener(text), {})) == [f"listeners[0].{path}: missing: it has no default"]


def test_more_than_1000_states_are_rejected() -> None:
    config = listener("rules: [{}, {}]")
    config.listeners[0].rules[0].in_states.extend(f"s{n}" for n in range(600))
    config.listeners[0].rules[1].in_states.extend(f"s{n}" for n in range(400, 1001))
    assert said(check(config, {})) == ["listeners[0].rules: 1001 states; the maximum is 1000"]
    config.listeners[0].rules[1].in_states.pop()
    assert check(config, {}) == []
    config.listeners[0].rules.extend([v1.Rule()] * 499)
    assert said(check(config, {})) == [
        "listeners[0].rules: 501 rules in 1000 states; the maximum is 500 rules with this number of states",
    ]
