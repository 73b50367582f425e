from types import GeneratorType

import pytest

from answerback.core.actions import HalfClose, Send
from answerback.core.framing import Fixed, Line
from answerback.core.plan import WhenExhausted
from answerback.core.steps import (
    END_BY_RESET,
    END_IN_ORDER,
    EnterState,
    Hang,
    Receive,
    SetFraming,
    SetVariable,
    StepResult,
    Wait,
)
from tests.language.compiling import RequestContext, selected
from tests.language.configurations import rule

MATCHES = [
    ("PING", b"PING", b"ping"),
    ("{equals: {text: PING, ignore_case: true}}", b"pInG", b"PINGS"),
    ("{prefix: ab}", b"abc", b"cab"),
    ("{prefix: {text: ab, ignore_case: true}}", b"ABc", b"cab"),
    ("{suffix: bc}", b"abc", b"bca"),
    ("{suffix: {text: bc, ignore_case: true}}", b"aBC", b"bca"),
    ("{contains: {hex: '00 ff'}}", b"a\x00\xffb", b"\x00"),
    ("{contains: {text: aB, ignore_case: true}}", b"xAbx", b"ba"),
    (r"{regex: '^\xff[0-9]+$'}", b"\xff12", b"x\xff12"),
    ("{size: {min: 2}}", b"ab", b"a"),
    ("{size: {max: 2}}", b"ab", b"abc"),
    ("{size: {min: 1, max: 2}}", b"a", b""),
    ("{size: {max: 0}}", b"", b"a"),
    ("{bytes: {offset: 1, equals: b}}", b"ab", b"ba"),
    ("{bytes: {equals: {hex: 0f}, mask: {hex: 0f}}}", b"\xff", b"\xf0"),
    ("{all: [{prefix: a}, {suffix: b}]}", b"ab", b"a"),
    ("{any: [a, b]}", b"b", b"c"),
    ("{not: a}", b"b", b"a"),
]


@pytest.mark.parametrize("text, right, wrong", MATCHES)
def test_condition_on_a_request_selects_as_written(text: str, right: bytes, wrong: bytes) -> None:
    config = rule(f"when: {text}")
    assert selected(config, RequestContext(right)) is not None
    assert selected(config, RequestContext(wrong)) is None


@pytest.mark.parametrize(
    "text, holds",
    [
        ("{peer: 192.0.2.7}", True),
        ("{peer: 192.0.2.0/24}", True),
        ("{peer: 10.0.0.0/8}", False),
        ("{peer: '::/0'}", False),
        ("{request_number: {max: 1}}", True),
        ("{request_number: {min: 1, max: 1}}", True),
        ("{request_number: {min: 2}}", False),
    ],
)
def test_condition_on_a_connection_selects_as_written(text: str, holds: bool) -> None:
    assert (selected(rule(f"when: {text}"), RequestContext()) is not None) is holds


@pytest.mark.parametrize(
    "text, literal", [("PING", b"PING"), ("{equals: {text: a, ignore_case: true}}", None), ("{prefix: a}", None)]
)
def test_rule_with_a_literal_is_looked_up_by_equality(text: str, literal: bytes | None) -> None:
    chosen = selected(rule(f"when: {text}"), RequestContext(b"PING" if literal else b"a"))
    assert chosen is not None
    assert chosen.equals == literal


def outcomes(steps: str, turn: RequestContext, when: str = "") -> list[StepResult]:
    """What the steps of a rule come to."""
    chosen = selected(rule(f"do: [{steps}]" + (f", when: {when}" if when else "")), turn)
    assert chosen is not None
    return [step(turn) if callable(step) else step for step in chosen.steps]


STEPS = {
    "send: hi": Send(b"hi"),
    "send: {template: '$$'}": Send(b"$"),
    "send: {template: '${len(request)}'}": Send(b"4"),
    "echo": Send(b"said"),
    "discard": None,
    "delay: 250ms": Wait(0.25),
    "close": END_IN_ORDER,
    "half_close": HalfClose(),
    "reset": END_BY_RESET,
    "hang": Hang(),
    "hang: {ignore_fin: true}": Hang(ignore_fin=True),
    "framing: line": SetFraming(Line(keep_ending=False)),
    "framing: {fixed: {size: 3}}": SetFraming(Fixed(3)),
    "framing: {fixed: {size_from: 'len(request)'}}": SetFraming(Fixed(4), once=True),
    "receive: {framing: line, into: x}": Receive(Line(keep_ending=False), "x"),
    "receive: {framing: {fixed: {size_from: '7'}}, into: x}": Receive(Fixed(7), "x"),
}


@pytest.mark.parametrize("text, result", STEPS.items())
def test_step_compiles_to_its_outcome(text: str, result: StepResult) -> None:
    assert outcomes(text, RequestContext(b"said")) == [result]


@pytest.mark.parametrize(
    "text,pieces",
    [
        ("payload: abc, chunks: 2, gap: 1s", [Send(b"ab"), Wait(1.0), Send(b"c")]),
        ("payload: {template: '${request}'}, size: 3, gap: 0", [Send(b"sai"), Wait(0.0), Send(b"d")]),
    ],
)
def test_dribble_step_compiles_to_pieces_and_waits(text: str, pieces: list[StepResult]) -> None:
    (result,) = outcomes(f"dribble: {{{text}}}", RequestContext(b"said"))
    assert isinstance(result, GeneratorType)
    assert list(result) == pieces


def test_constant_sends_are_joined_when_compiled() -> None:
    chosen = selected(rule("do: [send: hi, send: {template: \" ${unhex('21')}$$\"}]"), RequestContext())
    assert chosen is not None
    assert chosen.reply == Send(b"hi !$")


def test_state_and_set_steps_compile_to_their_results() -> None:
    turn = RequestContext(b"said")
    turn.variables["a"] = b"x"
    text = "state: ready, set: {name: a, value: x}, set: {name: b, value: {template: '${vars.a}${request}'}}"
    assert outcomes(text, turn) == [EnterState("ready"), SetVariable("a", b"x"), SetVariable("b", b"xsaid")]


def test_template_uses_the_captures_of_its_rule() -> None:
    when = r"{any: [nothing, {regex: '(.)(?P<last>\xff)$'}]}"
    assert outcomes("send: {template: '${last}${1}'}", RequestContext(b"ab\xff"), when) == [Send(b"\xffb")]


THEN = {
    "": WhenExhausted.REPEAT_LAST,
    ", then: REPEAT_LAST": WhenExhausted.REPEAT_LAST,
    ", then: CYCLE": WhenExhausted.CYCLE,
    ", then: NEXT_RULE": WhenExhausted.NEXT_RULE,
    ", then: RANDOM": WhenExhausted.RANDOM,
}


@pytest.mark.parametrize("text, then", THEN.items())
def test_replies_compile_with_their_order(text: str, then: WhenExhausted) -> None:
    chosen = selected(rule(f"replies: {{of: [[send: a, close], []]{text}}}"), RequestContext())
    assert chosen is not None
    assert chosen.replies is not None
    assert chosen.replies.replies == ((Send(b"a"), END_IN_ORDER), ())
    assert chosen.replies.then is then
    assert chosen.replies.weights == ()


def test_replies_compile_with_their_weights() -> None:
    chosen = selected(rule("replies: {of: [[], []], then: RANDOM, weights: [3, 0.5]}"), RequestContext())
    assert chosen is not None
    assert chosen.replies is not None
    assert chosen.replies.weights == (3.0, 0.5)
