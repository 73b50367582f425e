"""Turns stay short with the largest configurations: rules of every kind at once, and conditions that work hard.

An expression or a template may read and write 4 MiB, which takes up to 20 ms; a listener may have hundreds of them.
"""

from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from answerback.core.actions import Action, HalfClose, Send
from answerback.core.expressions.errors import MAX_WORK, SEARCH_WORK, search_budget
from answerback.core.plan import ListenerPlan
from answerback.core.selection import Rules
from answerback.core.session.events import idle
from answerback.document.document import load
from tests.core.driving import CONDITIONS, FLOOD, SHORTEST, WAIT, Driver
from tests.core.playbook import Playbook, drain
from tests.language.compiling import only

if TYPE_CHECKING:
    from collections.abc import Callable

EACH = 300  # rules of each kind
DIFFERENT = 5
MIB = 1 << 20
KEEP = "{when: {prefix: keep}, do: [set: {name: big, value: {template: '${request}'}}]}"
LARGE = b"keep" + b"a" * (MIB - 5)
# Conditions that do not hold, and read as much of a variable of 1 MiB as they may.
HARD = {
    "crc32": "expr: 'crc32(vars.big) == {n}'",
    "crc16": "expr: 'crc16(vars.big[0:200000]) == 65536 + {n}'",
    "md5": 'expr: "len(md5(vars.big) + md5(vars.big) + md5(vars.big)) == {n}"',
    "upper": 'expr: "len(upper(vars.big)) == {n} or len(upper(vars.big)) == {n}"',
    "in": "expr: \"'{n}nothing' in vars.big\"",
    "slices": "expr: 'len(vars.big[1:] + vars.big[2:{n}]) == {n}'",
    "repeat": "expr: \"crc32(repeat(request + 'a', 1000000)) == {n}\"",
    "not": "not: {{expr: 'md5(vars.big) != vars.none'}}",
    "all": "all: [{{expr: 'md5(vars.big) != vars.none'}}, {{expr: 'md5(vars.big) == vars.none'}}]",
    "any": "any: [{{expr: 'md5(vars.big) == vars.none'}}, {{expr: 'sha1(vars.big) == vars.none'}}]",
    "shared": "expr: \"crc32(shared['big']) == {n}\"",
}
TOP = "listeners:\n- name: it\n  address: 127.0.0.1:1\n  framing: {{{framing}}}\n"
TOP += "  limits: {{max_request_bytes: {most}}}\n"


def compiled(framing: str, rules: list[str], most: int = MIB) -> ListenerPlan:
    text = TOP.format(framing=framing, most=most) + "  rules:\n" + "".join(f"  - {rule}\n" for rule in rules)
    document = load(text)
    assert not document.problems
    return only(document.config)


def many(rules: Rules, first: int, count: int) -> Rules:
    """The first rules once, then the other rules repeated to about `count`."""
    rest = rules.in_order[first:]
    return Rules(rules.in_order[:first] + rest * (count // len(rest)))


def hard(condition: str, *, count: int = EACH, event: str = "") -> ListenerPlan:
    """A listener with `count` of these conditions."""
    on = f"event: {event}, " if event else ""
    lines = [f"{{{on}when: {{{condition.format(n=n)}}}, do: [send: no]}}" for n in range(DIFFERENT)]
    made = compiled("line: {}", [KEEP, *lines])
    if not event:
        return replace(made, on_request=many(made.on_request, 1, count))
    name = f"on_{event.lower()}"
    return replace(made, **{name: many(getattr(made, name), 0, count)})  # type: ignore[arg-type]  # a field of this name


def driver(target: ListenerPlan) -> Driver:
    """A session whose variables are as large as they may be."""
    made = Driver(target)
    made.session.context.shared.put(b"big", LARGE)
    made.flood(LARGE + b"\n")
    assert made.session.context.variables["big"] == LARGE
    made.longest = 0.0
    return made


@pytest.mark.long
@pytest.mark.parametrize("framing", SHORTEST)
def test_flood_against_300_rules_of_each_kind_takes_no_long_turn(framing: str) -> None:
    text, request = SHORTEST[framing]
    lines = [
        f"{{when: {{{condition.format(n=n)}}}, do: [send: no]}}"
        for condition in chain(CONDITIONS.values(), HARD.values())
        for n in range(DIFFERENT)
    ]
    made = compiled(text, lines)
    flooded = Driver(replace(made, on_request=many(made.on_request, 0, EACH * (len(CONDITIONS) + len(HARD)))))
    flooded.flood(request * (FLOOD // len(request)))
    if framing in ("idle", "until_eof"):
        flooded.turn(flooded.session.receive_eof)
    assert flooded.longest < WAIT


@pytest.mark.parametrize("count", [90, pytest.param(EACH, marks=pytest.mark.long)])
@pytest.mark.parametrize("condition", HARD.values(), ids=HARD)
def test_conditions_that_read_large_values_take_no_long_turn(condition: str, count: int) -> None:
    flooded = driver(hard(condition, count=count))
    flooded.flood(b"\n" * FLOOD)
    assert flooded.longest < WAIT
    assert flooded.turns > 3, "the search was divided"


@pytest.mark.parametrize("event", ["DRAIN", "EOF", "IDLE"])
def test_conditions_on_an_event_that_read_large_values_take_no_long_turn(event: str) -> None:
    flooded = driver(hard(HARD["md5"], event=event))
    session = flooded.session
    happened: dict[str, Callable[[float], object]] = {
        "DRAIN": session.drain,
        "EOF": session.receive_eof,
        "IDLE": partial(idle, session),
    }
    before = flooded.turns
    flooded.turn(happened[event])
    while session.wants_turn and flooded.turns < before + 20:
        flooded.turn(session.take_turn)
    assert flooded.longest < WAIT
    assert flooded.turns == before + 20, "the search was divided"


@pytest.mark.parametrize("step", ["set: {{name: x, value: {{template: {0}}}}}", "send: {{template: {0}}}"])
def test_scripts_of_hard_steps_take_no_long_turn(step: str) -> None:
    hard_one = step.format("'${crc16(vars.big[0:130000])}${crc16(vars.big[1:65000])}'")
    rule = f"{{do: [{', '.join([hard_one] * 100)}]}}"
    flooded = driver(compiled("line: {}", [KEEP, rule]))
    flooded.flood(b"\n" * 1000)
    assert flooded.longest < WAIT
    assert flooded.turns > 3, "the script was divided"


# ── A search that stopped because its conditions worked hard is done in parts, with the same result ───────────────────

WORK = MIB // 2
assert SEARCH_WORK < WORK < MAX_WORK, "one such condition ends a search that is not in parts"
COSTLY = "{when: {expr: 'crc32(vars.big[4:500004]) == 0'}, do: [send: no]}"


def answers(*rules: str, requests: bytes = b"x\ny\n") -> list[Action]:
    book = Playbook(compiled("line: {}", [KEEP, *rules])) >> LARGE + b"\n" >> requests
    heard, book.heard = book.heard, []
    assert search_budget.left == float("inf")
    return heard


def said(heard: list[Action]) -> bytes:
    return b"".join(bytes(action.data) for action in heard if isinstance(action, Send))


def test_stopped_search_finds_the_rules_behind_it() -> None:
    echo = "{when: {regex: '(.)'}, do: [send: {template: '${captures[1]}'}]}"
    assert said(answers(COSTLY, COSTLY, echo)) == b"xy"
    assert said(answers(COSTLY, COSTLY)) == b""
    assert said(answers("{when: {equals: x}, do: [send: first]}", COSTLY, echo)) == b"firsty"
    assert said(answers(COSTLY, "{when: {equals: y}, do: [send: equal]}", echo)) == b"xequal"


def test_stopped_search_counts_each_rule_once() -> None:
    twice = "{times: 2, when: {prefix: x}, do: [send: 'a']}"
    behind = "{do: [send: 'b']}"
    assert said(answers(twice, COSTLY, COSTLY, behind, requests=b"x\n" * 4)) == b"aabb"
    skipping = "{times: 1, when: {prefix: x}, do: [send: 'a']}"
    assert said(answers(COSTLY, skipping, COSTLY, COSTLY, behind, requests=b"x\n" * 3)) == b"abb"


def test_result_of_a_search_that_stopped_is_not_cached_before_it_is_found() -> None:
    hungry = '{{when: {{expr: "crc32(repeat(request, {n})) == 0"}}, do: [send: no]}}'
    lines = [hungry.format(n=300_000 + n) for n in range(70)]
    assert said(answers(*lines, "{when: {prefix: x}, do: [send: 'yes']}", requests=b"x\n" * 3)) == b"yes" * 3


def test_event_whose_search_stopped_is_answered_or_ends_as_others() -> None:
    costly = "{event: DRAIN, when: {expr: 'crc32(vars.big) == 0'}, do: [send: no]}"
    says = "{event: DRAIN, do: [send: bye]}"
    book = Playbook(compiled("line: {}", [KEEP, costly, costly, says])) >> LARGE + b"\n" >> drain
    book << Send(b"bye") << HalfClose()
    book = Playbook(compiled("line: {}", [KEEP, costly, costly])) >> LARGE + b"\n" >> drain
    book << HalfClose()
