import pytest

from answerback.config.checking import check
from answerback.v1 import config_pb2 as v1
from tests.config.configurations import listener, rule, said

MATCH_KINDS = "equals, prefix, suffix, contains, regex, all, any or not"


def problems(text: str, files: dict[str, bytes] | None = None) -> list[str]:
    """What is wrong with a rule; the path is that within the rule."""
    return [line.removeprefix("listeners[0].rules[0].") for line in said(check(rule(text), files or {}))]


def test_a_match_on_connect() -> None:
    assert problems("event: CONNECT, when: PING") == [
        "when: there is no request yet on CONNECT, so there is nothing to match",
    ]


EMPTY = {
    "when: {}": f"when: says nothing: give {MATCH_KINDS}",
    "when: {not: {}}": f"when.not: says nothing: give {MATCH_KINDS}",
    "when: {all: []}": "when.all: an empty list: give at least one condition",
    "when: {any: {}}": "when.any: an empty list: give at least one condition",
    "when: {any: [a, {}]}": f"when.any.of[1]: says nothing: give {MATCH_KINDS}",
    "when: {equals: {}}": "when.equals: says nothing: give text, hex, base64 or file",
    "when: {prefix: {ignore_case: true}}": "when.prefix: says nothing: give text, hex, base64 or file",
    "do: [{}]": "do[0]: says nothing: give send, echo, discard, delay, close or reset",
    "do: [send: {}]": "do[0].send: says nothing: give text, hex, base64 or file",
    "do: [delay: {}]": "do[0].delay: says nothing: give fixed",
}


@pytest.mark.parametrize("text, problem", EMPTY.items())
def test_what_says_nothing(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize("kind", ["equals", "prefix", "suffix", "contains"])
def test_literals(kind: str) -> None:
    assert problems(f"when: {{{kind}: {{hex: abc}}}}") == [f"when.{kind}.hex: odd number of digits"]


REGEXES = {
    "(a": "missing ): (a",
    "a(?=b)": "invalid perl operator: (?=",
    r"(a)\1": r"invalid escape sequence: \1",
    "a{1001}": "invalid repetition size: {1001}",
}


@pytest.mark.parametrize("pattern, why", REGEXES.items())
def test_patterns_that_re2_refuses(pattern: str, why: str, capfd: pytest.CaptureFixture[str]) -> None:
    config = listener("rules: [{when: {regex: x}}]")
    config.listeners[0].rules[0].when.regex = pattern
    assert said(check(config, {})) == [f"listeners[0].rules[0].when.regex: RE2 refuses it: {why}"]
    assert capfd.readouterr() == ("", "")


def test_payloads() -> None:
    assert problems("do: [send: {hex: g}, send: {base64: A}]") == [
        "do[0].send.hex: 'g' is no hexadecimal digit",
        "do[1].send.base64: not base64: its length is no multiple of 4; it is padded with =",
    ]


def test_a_file_that_was_not_read_has_been_reported_then() -> None:
    assert problems("do: [send: {file: nowhere}]") == []
    assert problems("do: [send: {file: f}]", {"f": bytes((16 << 20) + 1)}) == [
        "do[0].send.file: 16777217 bytes; at most 16777216 are sent at once",
    ]


@pytest.mark.parametrize("delay, right", [("0", True), ("1h", True), ("-1ms", False), ("1h1s", False), ("61m", False)])
def test_delays(delay: str, right: bool) -> None:
    written = {"61m": "1h1m"}.get(delay, delay)
    assert problems(f"do: [delay: {delay}]") == (
        [] if right else [f"do[0].delay.fixed: must be 0 to 1h, not {written}"]
    )


def nested(depth: int) -> v1.Config:
    config = v1.Config(listeners=[v1.Listener(name="it", address="127.0.0.1:0", rules=[v1.Rule()])])
    match = config.listeners[0].rules[0].when
    for _ in range(depth - 1):
        match = match.all.of.add()
    match.regex = "x"
    return config


def test_conditions_have_a_depth_that_every_message_about_them_can_carry() -> None:
    deepest = nested(32)
    assert check(deepest, {}) == []
    assert v1.Config.FromString(deepest.SerializeToString()) == deepest
    (problem,) = check(nested(33), {})
    assert problem.message == "conditions can be 32 deep in one another"
