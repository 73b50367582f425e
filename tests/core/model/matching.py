"""A model of rule selection, written from the rules of the language only: one rule after another."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from answerback.core.context import RequestContext
from answerback.v1 import config_pb2 as v1
from tests.core.expressions import reference
from tests.core.model.framing import bytes_of


@dataclass
class Groups:
    """What a pattern captured; as RE2 has it, names are bytes."""

    match: re.Match[bytes]

    def group(self, group: int | str | bytes, /) -> bytes | None:
        return self.match.group(group.decode() if isinstance(group, bytes) else group)


@dataclass
class Together:
    """What several patterns captured: a group is that of the last one that has it."""

    of: list[Groups]

    def group(self, group: int | str | bytes, /) -> bytes | None:
        for each in reversed(self.of):
            with suppress(IndexError):
                return each.group(group)
        raise IndexError(group)


@dataclass
class Asked:
    """What a condition may look at."""

    request: bytes
    number: int
    peer: str
    turn: RequestContext
    captures: list[Groups] = field(default_factory=list)


def holds(match: v1.Match, asked: Asked) -> bool:
    """Whether it does. What its patterns captured is added to `asked.captures`, if they made it hold."""
    kind = match.WhichOneof("kind")
    request = asked.request
    if kind in {"all", "any", "not"}:
        held = _combined(kind, match, asked)
    elif kind == "regex":
        found = re.search(match.regex.encode(), request, re.ASCII)
        asked.captures += [Groups(found)] if found else []
        held = found is not None
    elif kind == "size":
        held = _within(match.size, len(request))
    elif kind == "request_number":
        held = _within(match.request_number, asked.number)
    elif kind == "expr":
        held = _true(match.expr, asked)
    elif kind == "peer":
        held = ip_address(asked.peer) in ip_network(match.peer)
    elif kind == "bytes":
        held = _masked(match.bytes, request)
    else:
        held = _literal(kind or "", getattr(match, kind or ""), request)
    return held


def _true(text: str, asked: Asked) -> bool:
    asked.turn.captures = Together(list(asked.captures))
    try:
        return reference.evaluate(text, asked.turn) is True
    except reference.Failed:
        return False


def _literal(kind: str, literal: v1.Literal, request: bytes) -> bool:
    wanted = bytes_of(literal)
    if literal.ignore_case:
        wanted, request = _lower(wanted), _lower(request)
    places = [at for at in range(len(request) + 1) if request[at : at + len(wanted)] == wanted]
    return {
        "equals": request == wanted,
        "prefix": 0 in places,
        "suffix": len(request) - len(wanted) in places,
        "contains": bool(places),
    }[kind]


def _combined(kind: str, match: v1.Match, asked: Asked) -> bool:
    before = list(asked.captures)
    if kind == "any":
        return any(holds(one, asked) for one in match.any.of)
    inside = [getattr(match, "not")] if kind == "not" else match.all.of
    held = all(holds(one, asked) for one in inside)
    if kind == "not" or not held:
        asked.captures = before
    return held != (kind == "not")


def _within(given: v1.Match.Range, number: int) -> bool:
    return given.min <= number and (not given.HasField("max") or number <= given.max)


def _masked(here: v1.Match.Slice, request: bytes) -> bool:
    wanted = bytes_of(here.equals)
    mask = bytes_of(here.mask) if here.HasField("mask") else b"\xff" * len(wanted)
    there = request[here.offset : here.offset + len(wanted)]
    return len(there) == len(wanted) and all(
        a & bits == b & bits for a, b, bits in zip(there, wanted, mask, strict=True)
    )


def _lower(data: bytes) -> bytes:
    return bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in data)


class Counts:
    """How often each rule of a listener has matched, for whom."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, str], int] = {}

    def next(self, index: int, rule: v1.Rule, whom: str = "") -> list[v1.Step] | None:
        """What the rule does this time; None if it matches no more."""
        number = self._of.get((index, whom), 0)
        replies = rule.replies
        used_up = rule.HasField("replies") and replies.then == v1.Replies.THEN_NEXT_RULE and number >= len(replies.of)
        if (rule.times and number >= rule.times) or used_up:
            return None
        self._of[index, whom] = number + 1
        if not rule.HasField("replies"):
            return list(rule.do)
        if replies.then == v1.Replies.THEN_RANDOM:  # the model takes no chances: one of them alone has a weight
            (chosen,) = (index for index, weight in enumerate(replies.weights) if weight)
        elif replies.then == v1.Replies.THEN_CYCLE:
            chosen = number % len(replies.of)
        else:
            chosen = min(number, len(replies.of) - 1)
        return list(replies.of[chosen].do)


@dataclass
class Chosen:
    """The rule that acts, by its place in the listener; what it does this time, and what its pattern captured."""

    index: int
    script: list[v1.Step]
    captures: Together | None


def choose(
    listener: v1.Listener,
    event: int,
    state: str,
    asked: Asked,
    shared: Counts,
    own: Counts,
    *,
    in_script: bool = False,
    only: int | None = None,
) -> Chosen | None:
    """The first rule, in the order written, that is for this event and state, matches, and is not used up."""
    for index, rule in _for(listener, event, state):
        if (in_script and not only_sends_and_ends(rule)) or only not in {None, index}:
            continue
        asked.captures = []
        if rule.HasField("when") and not holds(rule.when, asked):
            continue
        whom = asked.peer if rule.scope == v1.SCOPE_PEER else ""
        script = (own if rule.scope == v1.SCOPE_CONNECTION else shared).next(index, rule, whom)
        if script is not None:
            return Chosen(index, script, Together(asked.captures) if asked.captures else None)
    return None


def only_sends_and_ends(rule: v1.Rule) -> bool:
    steps = [*rule.do, *(step for script in rule.replies.of for step in script.do)]
    return {step.WhichOneof("kind") for step in steps} <= {"send", "close", "reset"}


def _for(listener: v1.Listener, event: int, state: str) -> Iterator[tuple[int, v1.Rule]]:
    for index, rule in enumerate(listener.rules):
        if (rule.event or v1.EVENT_REQUEST) == event and (not rule.in_states or state in rule.in_states):
            yield index, rule
