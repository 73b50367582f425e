"""Size limits: a configuration at a limit is accepted, and one beyond it is rejected."""

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


def repeated(size: int) -> v1.Config:
    """Requests are so short (the default framing reads 1024 bytes) that the program alone bounds the pattern."""
    config = doing(v1.Step(close=v1.Step.Close()))
    config.listeners[0].rules[0].when.regex = "a" * size
    return config


def searched(request_bytes: int) -> v1.Config:
    config = repeated(508)
    config.listeners[0].framing.line.SetInParent()
    config.listeners[0].limits.max_request_bytes = request_bytes
    return config


LIMITS: dict[str, tuple[Callable[[int], v1.Config], int, int, str]] = {
    "listeners": (listening, 256, 257, "listeners: 257 listeners; the maximum is 256"),
    "rules in all": (rules, 10_000, 10_001, "listeners: 10001 rules in all; the maximum is 10000"),
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
    "a pattern": (
        repeated,
        3995,
        3996,
        (
            "listeners[0].rules[0].when.regex: "
            "too large: RE2 would make up to 4001 instructions of it; a pattern has 4000 "
            "at most. Repeat less (`{n,m}` counts each time), or write several rules"
        ),
    ),
    "a pattern and the longest request": (
        searched,
        1 << 20,
        (1 << 20) + 1,
        (
            "listeners[0].rules[0].when.regex: counts as 512 RE2 instructions (more than it has if it has groups): "
            "with requests of up to 1048577 bytes it may be 511, so that no request takes seconds. Shorten it, write "
            "several rules, or set limits.max_request_bytes to 1048576"
        ),
    ),
}


def test_patterns_of_a_configuration_past_their_total_are_rejected() -> None:
    """What is behind the one with which they are too many is not looked at: it would cost what it is not worth."""
    config = rules(200)
    for each in config.listeners[0].rules:
        each.when.regex = "a" * 3995  # 4,000 instructions
    (problem,) = check(config, {})
    assert str(problem) == (
        "listeners[0].rules[62].when.regex: counts as 4000 instructions, 252000 with the patterns before it; all "
        "patterns of a configuration have 250000 at most. Write fewer or shorter patterns; equals, prefix, suffix and "
        "contains need none"
    )
    del config.listeners[0].rules[62:]
    assert check(config, {}) == []


def test_small_pattern_counts_as_25_instructions() -> None:
    config = rules(2)
    config.listeners[0].rules[0].when.any.of.extend([v1.Match(regex="a")] * 10_001)
    (problem,) = [each for each in check(config, {}) if "counts as" in each.message]
    assert problem.path == "listeners[0].rules[0].when.any.of[10000].regex"


def test_unicode_class_counts_as_150_more_instructions() -> None:
    config = rules(200)
    for each in config.listeners[0].rules:
        each.when.regex = r"\pL" * 32  # 16 ranges of bytes each, at most
    (problem,) = check(config, {})
    assert problem.path == "listeners[0].rules[47].when.regex"
    assert problem.message.startswith("counts as 5317 instructions, 255216 with")


def test_pattern_of_a_framing_counts_towards_the_total() -> None:
    config = listening(2)
    step = v1.Step(receive=v1.Step.Receive(framing=v1.Framing(pattern=v1.Framing.Pattern(end="[ab]" * 250)), into="x"))
    config.listeners[0].rules.add().do.extend([step] * 2000)
    (problem,) = check(config, {})
    assert problem.path == "listeners[0].rules[0].do[99].receive.framing.pattern.end"
    assert problem.message.startswith("counts as 2000 instructions, 250500 with the patterns before it")


@pytest.mark.parametrize("made, at, past, why", LIMITS.values(), ids=LIMITS)
def test_configuration_is_valid_at_each_size_limit_and_rejected_past_it(
    made: Callable[[int], v1.Config], at: int, past: int, why: str
) -> None:
    assert check(made(at), {}) == []
    assert [str(problem) for problem in check(made(past), {})] == [why]


def test_configuration_text_past_4_mib_is_rejected() -> None:
    comment = "listeners: [] #"
    assert load(comment.ljust(nodes.MAX_BYTES, "x")).problems == ()
    (problem,) = load(comment.ljust(nodes.MAX_BYTES + 1, "x")).problems
    assert str(problem) == "longer than 4194304 bytes; move long payloads to files"
    assert nodes.MAX_BYTES == 4 << 20


def test_payload_file_past_its_size_limit_is_rejected() -> None:
    config = doing(v1.Step(send=v1.Payload(file="f")))
    assert check(config, {"f": bytes(payloads.MAX_BYTES)}) == []
    (problem,) = check(config, {"f": bytes(payloads.MAX_BYTES + 1)})
    assert "16777217 bytes; at most 16777216" in str(problem)
