import pytest

from answerback.language.check import check
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener, members, rule, said

KINDS = members(v1.Match())


def problems(text: str) -> list[str]:
    """What is wrong with a rule's condition; the path is that within the condition."""
    return [line.removeprefix("listeners[0].rules[0].when.") for line in said(check(rule(f"when: {text}"), {}))]


EMPTY = {
    "{}": f"listeners[0].rules[0].when: empty: set one of {KINDS}",
    "{not: {}}": f"not: empty: set one of {KINDS}",
    "{all: []}": "all: an empty list: at least one condition is required",
    "{any: {}}": "any: an empty list: at least one condition is required",
    "{any: [a, {}]}": f"any.of[1]: empty: set one of {KINDS}",
    "{equals: {}}": "equals: empty: set one of text, hex, base64, file",
    "{prefix: {ignore_case: true}}": "prefix: empty: set one of text, hex, base64, file",
    "{size: {}}": "size: empty: set min or max",
    "{request_number: {}}": "request_number: empty: set min or max",
}


@pytest.mark.parametrize("text, problem", EMPTY.items())
def test_empty_match_is_rejected(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize("kind", ["equals", "prefix", "suffix", "contains"])
def test_literal_match_with_odd_hex_is_rejected(kind: str) -> None:
    assert problems(f"{{{kind}: {{hex: abc}}}}") == [f"{kind}.hex: odd number of digits"]


REGEXES = {
    "(a": "missing ): (a",
    "a(?=b)": "invalid perl operator: (?=",
    r"(a)\1": r"invalid escape sequence: \1",
    "a{1001}": "invalid repetition size: {1001}",
}


@pytest.mark.parametrize("pattern, why", REGEXES.items())
def test_invalid_re2_pattern_is_rejected_with_the_reason(
    pattern: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    config = listener("rules: [{when: {regex: x}, do: [send: {template: '${1}${name}'}]}]")
    config.listeners[0].rules[0].when.regex = pattern
    assert said(check(config, {})) == [f"listeners[0].rules[0].when.regex: invalid RE2: {why}"]
    assert capfd.readouterr() == ("", "")


def test_duplicate_group_name_is_rejected() -> None:
    assert problems("{regex: '(?P<a>x)|(?<a>y)|(?P<b>z)'}") == ["regex: more than one group is named 'a'"]
    assert problems(r"{regex: '(?P<a>\(?P<a>)[(?P<a>]'}") == []
    assert problems("{any: [{regex: '(?P<a>x)'}, {regex: '(?P<a>y)'}]}") == []


@pytest.mark.parametrize("name", ["request", "peer", "captures", "vars", "rule", "state"])
def test_group_named_like_a_name_of_expressions_is_rejected(name: str) -> None:
    assert problems(f"{{any: [a, {{regex: '(?P<{name}>x)(?P<fine>y)'}}]}}") == [
        f"any.of[1].regex: a group cannot be named {name!r}: expressions use this name",
    ]


def test_range_with_min_above_max_is_rejected() -> None:
    assert problems("{size: {min: 3, max: 2}}") == ["size: never holds: min, 3, is more than max, 2"]
    assert problems("{request_number: {min: 1, max: 0}}") == [
        "request_number: never holds: min, 1, is more than max, 0",
        "request_number.max: must be at least 1, not 0: requests are numbered from there",
    ]
    for right in ("{size: {max: 0}}", "{size: {min: 2, max: 2}}", "{request_number: {max: 1}}"):
        assert problems(right) == []


def test_invalid_bytes_match_is_rejected() -> None:
    assert problems("{bytes: {equals: {hex: a}, offset: 67108865, mask: {hex: b}}}") == [
        "bytes.offset: must be 0 to 67108864, not 67108865",
        "bytes.equals.hex: odd number of digits",
        "bytes.mask.hex: odd number of digits",
    ]
    assert problems("{bytes: {equals: ''}}") == ["bytes.equals: at least one byte is needed"]
    assert problems("{bytes: {equals: ab, mask: {hex: ff}}}") == ["bytes.mask: 1 bytes, for 2 that are compared"]
    assert problems("{bytes: {equals: ab, mask: {hex: ff 0f}}}") == []


PEERS = {
    "nowhere": "an address or network is expected, like 192.0.2.7 or 10.0.0.0/8, not 'nowhere'",
    "''": "an address or network is expected, like 192.0.2.7 or 10.0.0.0/8, not ''",
    "10.0.0.0/33": "an address or network is expected, like 192.0.2.7 or 10.0.0.0/8, not '10.0.0.0/33'",
    "fe80::1%eth0": "an address or network is expected, like 192.0.2.7 or 10.0.0.0/8, not 'fe80::1%eth0'",
    "10.1.0.0/8": "'10.1.0.0/8' says more bits than its prefix has: write 10.0.0.0/8",
}


@pytest.mark.parametrize("text, why", PEERS.items())
def test_peer_match_without_a_network_is_rejected(text: str, why: str) -> None:
    assert problems(f"{{peer: {text}}}") == [f"peer: {why}"]


@pytest.mark.parametrize("text", ["192.0.2.7", "10.0.0.0/8", "'::1'", "fd00::/8", "0.0.0.0/0", "10.0.0.0/255.0.0.0"])
def test_peer_match_with_address_or_network_is_valid(text: str) -> None:
    assert problems(f"{{peer: {text}}}") == []


@pytest.mark.parametrize("event", ["CONNECT", "IDLE", "EOF", "DRAIN"])
def test_condition_on_a_request_is_rejected_for_other_events(event: str) -> None:
    config = rule(f"event: {event}, when: {{all: [{{not: {{peer: '::1'}}}}, a, {{request_number: {{min: 1}}}}]}}")
    why = f"{event} has no request; only peer and expr can be matched"
    assert said(check(config, {})) == [
        f"listeners[0].rules[0].when.all.of[1].equals: {why}",
        f"listeners[0].rules[0].when.all.of[2].request_number: {why}",
    ]


def nested(depth: int) -> v1.Config:
    config = v1.Config(listeners=[v1.Listener(name="it", address="127.0.0.1:0", rules=[v1.Rule()])])
    match = config.listeners[0].rules[0].when
    for _ in range(depth - 1):
        match = match.all.of.add()
    match.regex = "x"
    return config


def test_condition_deeper_than_32_is_rejected() -> None:
    deepest = nested(32)
    assert check(deepest, {}) == []
    assert v1.Config.FromString(deepest.SerializeToString()) == deepest
    (problem,) = check(nested(33), {})
    assert problem.message == "conditions can be nested at most 32 deep"
