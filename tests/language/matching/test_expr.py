"""The match `expr`, and what conditions of an `all` know of each other."""

from typing import TYPE_CHECKING

import pytest

from answerback.core.matching.effort import effort_of
from answerback.core.selection import Selector
from answerback.language.captures import Captures
from answerback.language.check import check
from answerback.language.context import Compiling
from answerback.language.expressions import Scope
from answerback.language.lint import warnings
from answerback.language.matching import compile_match, explain_match
from answerback.v1 import config_pb2 as v1
from tests.core.expressions import reference
from tests.core.turns import MadeUp
from tests.language.compiling import RequestContext, only, selected
from tests.language.configurations import listener, rule, said, wrong_in

if TYPE_CHECKING:
    from answerback.core.plan import ListenerPlan


def test_condition_of_another_type_is_rejected() -> None:
    assert wrong_in("when: {expr: 'len(request)'}") == [
        "when.expr: a bool is expected, and this is an int: write x != 0 (at character 1)"
    ]
    assert wrong_in("when: {all: [{expr: 'True'}, {not: {expr: 'a = 1'}}]}") == [
        "when.all.of[1].not.expr: to compare, write ==; arguments have no names (at character 3)"
    ]


@pytest.mark.parametrize(
    "text, literal",
    [
        ("request == 'PING'", b"PING"),
        ("'PI' + 'NG' == request", b"PING"),
        ("request != 'PING'", None),
        ("request[0:4] == 'PING'", None),
        ("upper(request) == 'PING'", None),
        ("request == body", None),
        ("request == 'PING' == 'PING'", None),
    ],
)
def test_comparison_of_the_whole_request_is_looked_up(text: str, literal: bytes | None) -> None:
    condition = f'{{expr: "{text}"}}'
    if "body" in text:
        condition = f'{{all: [{{regex: "(?P<body>.*)"}}, {condition}]}}'
    seen = b"x" if "!=" in text or "body" in text else b"PING"
    chosen = selected(rule(f"when: {condition}"), RequestContext(seen))
    assert chosen is not None
    assert chosen.equals == literal


COMPARED = [
    ("request[0:4] == 'PING'", True),
    ("request[:4] == 'PING'", True),
    ("'G' != request[-1:]", True),
    ("request[-4:-1] == 'PIN'", True),
    ("request[1 - 1:2 * 2] != 'PING'", True),
    ("request == 'PING'", True),
    ("request != 'PING'", True),
    ("request[1:] == 'ING'", False),
    ("request[:-1] == 'PIN'", False),
    ("request[:] == 'PING'", False),
    ("request[0:2000] == 'PING'", False),
    ("request[-2:2] == 'NG'", False),
    ("request[0] == 80", False),
    ("request[0:4:1] == 'PING'", None),
    ("request[0:len(request)] == 'PING'", False),
    ("state[0:4] == 'PING'", False),
    ("request[0:4] < 'PINH'", False),
    ("request[0:4] in 'PING'", False),
    ("body[0:4] == 'PING'", False),
    ("request[0:4] == request", False),
]


@pytest.mark.parametrize("text, direct", COMPARED)
@pytest.mark.parametrize("request_", [b"PING", b"", b"PIN", b"NG", b"PINGS", b"xPING"])
def test_comparison_with_a_literal_holds_where_the_expression_does(
    text: str, direct: bool | None, request_: bytes
) -> None:
    compiling = Compiling({}, Scope(captures=Captures(frozenset({"body"}), 1)))
    match = v1.Match(expr=text)
    if direct is None:
        with pytest.raises(ValueError, match="a slice has no step"):
            compile_match(match, compiling)
        return
    matcher = compile_match(match, compiling)
    turn = MadeUp(request_)
    holds = matcher(request_, turn)
    assert ("slice_equals" in matcher.__qualname__) is direct
    assert holds is (explain_match(match, compiling)(request_, turn) is None)
    try:
        expected = reference.evaluate(text, turn)
    except reference.Failed:
        expected = False
    assert holds is expected


def test_captures_of_an_earlier_condition_are_names() -> None:
    when = r"{all: [{regex: '^(?P<verb>\w+) (?P<size>\d+)'}, {expr: 'int(size) > 10'}, {regex: '(?P<rest>x*)$'}]}"
    text = f"when: {when}, do: [send: {{template: '${{verb}}-${{size}}-${{rest}}'}}]"
    assert wrong_in(text) == []
    turn = RequestContext(b"GET 11 xx")
    chosen = selected(rule(text), turn)
    assert chosen is not None
    (step,) = chosen.steps
    assert callable(step)
    assert step(turn).data == b"GET-11-xx"  # type: ignore[union-attr]
    assert selected(rule(text), RequestContext(b"GET 10 xx")) is None


@pytest.mark.parametrize(
    "when",
    [
        "{all: [{expr: \"a == ''\"}, {regex: '(?P<a>.)'}]}",
        "{any: [{regex: '(?P<a>.)'}, {expr: \"a == ''\"}]}",
        "{all: [{not: {regex: '(?P<a>.)'}}, {expr: \"a == ''\"}]}",
        "{expr: \"a == ''\"}",
    ],
)
def test_captures_of_other_conditions_are_not_names(when: str) -> None:
    (problem,) = wrong_in(f"when: {when}")
    assert "expr: unknown name 'a' (at character 1)" in problem


def test_nested_conditions_know_the_captures_before_them() -> None:
    inner = "{any: [{expr: \"a == 'x'\"}, {all: [{regex: '(?P<b>y)'}, {expr: 'a == b'}]}]}"
    assert wrong_in(f"when: {{all: [{{regex: '(?P<a>.)'}}, {inner}, {{not: {{expr: \"a == 'z'\"}}}}]}}") == []


@pytest.mark.parametrize(
    "conditions, place",
    [
        ("{regex: '(?P<a>.)'}, {regex: '(?P<a>b)'}", "of[1]"),
        ("{regex: '(?P<a>.)'}, {any: [x, {regex: '(?P<a>b)'}]}", "of[1]"),
        (
            "{any: [{regex: '(?P<a>.)'}, {regex: '(?P<a>b)'}]}, {all: [{regex: '(?P<a>c)'}]}",
            "of[1].all.of[0]",
        ),
    ],
)
def test_name_twice_in_one_all_is_rejected(conditions: str, place: str) -> None:
    found = wrong_in(f"when: {{all: [{conditions}]}}")
    assert f"when.all.{place}: a group is named 'a' in a condition before it; give it another name" in found


def test_condition_on_an_event_asks_what_exists_then() -> None:
    assert wrong_in("event: CONNECT, when: {expr: \"peer.port > 9 and vars.a == ''\"}") == []
    assert wrong_in("event: EOF, when: {all: [{peer: 10.0.0.1}, {expr: \"request == ''\"}]}") == [
        "when.all.of[1].expr: EOF has no request (at character 1)"
    ]
    assert wrong_in("event: IDLE, do: [send: {template: 'a${request}'}]") == [
        "do[0].send.template: IDLE has no request (at character 4)"
    ]


def selector(text: str) -> Selector:
    plan: ListenerPlan = only(listener(framing="line", rules=text))
    return plan.on_request.selector_for("")


def test_only_conditions_on_the_request_are_remembered_with_their_reply() -> None:
    costly = "crc16(request) == 1 and crc16(request[1:]) == 2 and crc16(request[2:]) == 3 and crc16(request[3:]) == 4"
    remembered = selector(f"[{{when: {{expr: '{costly}'}}, do: [send: a]}}]")
    assert remembered.rule_cache is not None
    others = [
        "state == '0'",
        "vars.a == '0'",
        "peer.port == 1",
        "randint(1, 2) == 1",
        "unix() == 1",
        "request_number == 1",
    ]
    for other in others:
        condition = f'{{expr: "{costly} and {other}"}}'
        assert selector(f"[{{when: {condition}, do: [send: a]}}]").rule_cache is None


def test_constant_condition_takes_all_or_nothing() -> None:
    config = listener(rules="[{when: {expr: 'True or request[0] == 1'}, do: [echo]}, {do: [close]}]")
    assert "never reached" in said(warnings(config))[0]
    match = v1.Match(expr="1 > 2")
    assert effort_of(compile_match(match, Compiling({}))).by_bytes
    assert not compile_match(match, Compiling({}))(b"", MadeUp())


def test_patterns_of_expressions_count_in_the_budget_of_all_patterns() -> None:
    costly = "[a-z]{900}" * 3
    many = ", ".join(f"{{when: {{expr: \"matches(request, '{costly}{index}')\"}}}}" for index in range(100))
    found = said(check(listener(rules=f"[{many}]"), {}))
    assert found
    assert "all patterns of a configuration have 250000 at most" in found[-1]
    assert found[-1].startswith("listeners[0].rules[")
    assert wrong_in(f"when: {{expr: \"matches(request, '{costly}{costly}')\"}}")[0].startswith("when.expr: ")
