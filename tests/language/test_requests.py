"""The longest request of a listener, which bounds the patterns that search it."""

import pytest

from answerback.document.document import load
from answerback.language.check import check
from answerback.language.requests import longest_request
from answerback.v1 import config_pb2 as v1

LISTENER = "listeners: [{name: a, address: '127.0.0.1:1', %s}]"


def listener(fields: str) -> v1.Listener:
    document = load(LISTENER % fields)
    assert document.problems == ()
    return document.config.listeners[0]


LONGEST = [
    ("rules: []", 1024),
    ("framing: {read: {max_bytes: 65536}}", 65536),
    ("framing: {read: {max_bytes: 65536}}, limits: {max_request_bytes: 100}", 100),
    ("framing: {fixed: {size: 4}}", 4),
    ("framing: line", 1 << 20),
    ("framing: http, limits: {max_request_bytes: 67108864}", 64 << 20),
    ("framing: {pattern: {end: x}}", 1 << 20),
    ("framing: {fixed: {size: 4}}, rules: [{do: [{framing: line}]}]", 1 << 20),
    ("rules: [{replies: {of: [[{framing: http}]]}}]", 1 << 20),
    ("framing: {fixed: {size: 4}}, rules: [{do: [{receive: {framing: line, into: x}}]}]", 4),
]


@pytest.mark.parametrize("fields, longest", LONGEST)
def test_longest_request_follows_framing_and_limits(fields: str, longest: int) -> None:
    assert longest_request(listener(fields)) == longest


def problems(fields: str) -> list[str]:
    return [str(problem) for problem in check(load(LISTENER % fields).config, {})]


def test_pattern_with_many_groups_counts_as_more_instructions() -> None:
    """About 20 instructions each: 16 groups count as much again."""
    fits = "(.*a)" * 30
    assert problems(f"framing: line, rules: [{{when: {{regex: '{fits}'}}}}]") == []
    (problem,) = problems(f"framing: line, rules: [{{when: {{regex: '{'(.*a)' * 50}'}}}}]")
    assert "counts as" in problem
    assert "it may be 512" in problem


def test_pattern_within_a_condition_is_reported_at_its_path() -> None:
    text = "framing: line, rules: [{when: {any: {of: [{regex: x}, {not: {regex: '%s'}}]}}}]"
    (problem,) = problems(text % ("a" * 600))
    assert problem.startswith("listeners[0].rules[0].when.any.of[1].not.regex: counts as 604 RE2 instructions")


def test_long_pattern_is_accepted_with_a_lower_max_request_bytes() -> None:
    (problem,) = problems(f"framing: line, rules: [{{when: {{regex: '{'a' * 600}'}}}}]")
    limit = int(problem.rsplit(" ", 1)[1])
    assert (
        problems(f"framing: line, limits: {{max_request_bytes: {limit}}}, rules: [{{when: {{regex: '{'a' * 600}'}}}}]")
        == []
    )


def test_too_long_pattern_is_reported_at_its_line_and_column() -> None:
    begin = "listeners:\n- name: a\n  address: 127.0.0.1:1\n  framing: line\n  rules:\n  - when:\n"
    text = f"{begin}      regex: {'a?' * 50_000}\n"
    document = load(text)
    (problem,) = document.located(check(document.config, {}))
    assert str(problem).startswith(
        "7:14: listeners[0].rules[0].when.regex: too long: 100000 bytes; a pattern has 16384"
    )
