"""The largest of everything: what is at its limit is taken, what is past it is refused when it is loaded."""

from collections.abc import Callable

import pytest
from google.protobuf.duration_pb2 import Duration

from answerback.document import yaml_tree as nodes
from answerback.document.document import load
from answerback.language import payloads
from answerback.language.check import check
from answerback.v1 import config_pb2 as v1


def listening(count: int = 1) -> v1.Config:
    return v1.Config(listeners=[v1.Listener(name=f"l{n}", address=f"127.0.0.1:{n + 1}") for n in range(count)])


def doing(step: v1.Step) -> v1.Config:
    config = listening()
    config.listeners[0].rules.add().do.append(step)
    return config


def rules(count: int) -> v1.Config:
    config = listening(2)
    config.listeners[0].rules.extend([v1.Rule()] * (count - 1))
    config.listeners[1].rules.add()
    return config


def text(size: int) -> v1.Config:
    return doing(v1.Step(send=v1.Payload(text="x" * size)))


def delay(seconds: int) -> v1.Config:
    return doing(v1.Step(delay=v1.Delay(fixed=Duration(seconds=seconds))))


def regex(size: int) -> v1.Config:
    config = doing(v1.Step(close=v1.Step.Close()))
    config.listeners[0].rules[0].when.regex = "a" * size
    return config


LIMITS: dict[str, tuple[Callable[[int], v1.Config], int, int, str]] = {
    "listeners": (listening, 256, 257, "listeners: 257 listeners; there can be 256"),
    "rules in all": (rules, 10_000, 10_001, "listeners: 10001 rules in all; there can be 10000"),
    "a payload": (
        text,
        16 << 20,
        (16 << 20) + 1,
        "listeners[0].rules[0].do[0].send.text: 16777217 bytes; at most 16777216 are sent at once",
    ),
    "a delay": (
        delay,
        3600,
        3601,
        "listeners[0].rules[0].do[0].delay.fixed: must be 0 to 1h, not 1h1s",
    ),
    # A program of 8 MiB: how much of a pattern that is RE2 alone knows, about 699,000 bytes.
    "a pattern": (
        regex,
        690_000,
        710_000,
        "listeners[0].rules[0].when.regex: RE2 refuses it: pattern too large - compile failed",
    ),
}


def test_all_patterns_together() -> None:
    """What is behind the one with which they are too many is not looked at: it would cost what it is not worth."""
    large, config = f"({'a' * 300}){{1000}}", rules(100)
    for each in config.listeners[0].rules:
        each.when.regex = large
    (problem,) = check(config, {})
    assert str(problem).startswith("listeners[0].rules[6].when.regex: RE2 makes 30")
    assert str(problem).endswith(" so far; all patterns together can have 2000000")
    del config.listeners[0].rules[6:]
    assert check(config, {}) == []


@pytest.mark.parametrize("made, at, past, why", LIMITS.values(), ids=LIMITS)
def test_sizes(made: Callable[[int], v1.Config], at: int, past: int, why: str) -> None:
    assert check(made(at), {}) == []
    assert [str(problem) for problem in check(made(past), {})] == [why]


def test_a_text() -> None:
    comment = "listeners: [] #"
    assert load(comment.ljust(nodes.MAX_BYTES, "x")).problems == ()
    (problem,) = load(comment.ljust(nodes.MAX_BYTES + 1, "x")).problems
    assert str(problem) == "longer than 4194304 bytes; long payloads go to files of their own"
    assert nodes.MAX_BYTES == 4 << 20


def test_what_files_hold() -> None:
    config = doing(v1.Step(send=v1.Payload(file="f")))
    assert check(config, {"f": bytes(payloads.MAX_BYTES)}) == []
    (problem,) = check(config, {"f": bytes(payloads.MAX_BYTES + 1)})
    assert "16777217 bytes; at most 16777216" in str(problem)
