"""Behaviors of responses: waits become delays, and what is copied from the request becomes a template."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from answerback.importing import javascript, re2
from answerback.importing.expressions import literal
from answerback.importing.mountebank.data import Kind
from answerback.importing.outcome import Notes
from answerback.importing.source import Unfit, Value

# Rule: what a copy's pattern does not find in a request leaves the token as it is, as in mountebank.

_WAIT = re.compile(r"\s*([0-9]+)")
_OLD_ORDER: Final = ("wait", "lookup", "copy", "shellTransform", "decorate")
_INSTEAD: Final = {
    "decorate": "JavaScript has no equivalent: the reply is sent without it; write a template, `send: {template: …}`",
    "shellTransform": "a shell command has no equivalent: the reply is sent without it; write a template",
    "lookup": "no equivalent: the tokens stay in the reply; write a rule for each row of the file",
}


@dataclass(frozen=True, slots=True)
class Copy:
    """What `copy` replaces, and by what."""

    into: str
    pattern: str
    """RE2; without groups."""
    capturing: str
    """The same with names: `NAME_0` is all that it matches, `NAME_N` group N."""
    name: str
    groups: int


@dataclass(slots=True)
class Behaviors:
    """What is done to a response."""

    waits: list[int] = field(default_factory=list)
    """In milliseconds."""
    copies: list[Copy] = field(default_factory=list)


def behaviors_of(response: Value, numbers: Iterator[int], notes: Notes, kind: Kind) -> Behaviors:
    """The behaviors of a response; each copy gets a number of its own. What has no equivalent is noted."""
    found = Behaviors()
    for name, value in _listed(response, notes):
        try:
            if name == "wait":
                found.waits.append(_wait(value))
            elif name == "copy":
                found.copies.append(_copy(value, f"copy{next(numbers)}", kind))
            else:
                notes.add(value.problem(_INSTEAD.get(name, f"mountebank has no behavior {name!r}: it is ignored")))
        except Unfit as unfit:
            notes.add(unfit.problem)
    return found


def _listed(response: Value, notes: Notes) -> list[tuple[str, Value]]:
    """The behaviors in the order of their execution, as mountebank reads both of its forms."""
    fields = response.fields()
    new, old = fields.get("behaviors"), fields.get("_behaviors")
    if new is not None:
        if old is not None:
            notes.add(old.problem("mountebank ignores this beside `behaviors`"))
        return [each for item in new.items() for each in item.fields().items()]
    if old is None:
        return []
    if "repeat" in fields:
        notes.add(old.problem("mountebank ignores this beside `repeat`"))
        return []
    given = old.fields()
    known = [(name, given[name]) for name in _OLD_ORDER if name in given]
    others = [(name, value) for name, value in given.items() if name not in {*_OLD_ORDER, "repeat"}]
    return [(name, each) for name, value in known + others for each in (value.items() if value.is_list else [value])]


def _wait(value: Value) -> int:
    if not value.is_text:
        return value.integer()
    found = _WAIT.match(value.text())
    if found is None:
        raise value.unfit(
            "JavaScript has no equivalent: write a distribution, `delay: {uniform: {min: 10ms, max: 50ms}}`"
        )
    return int(found[1][:12])


def _copy(value: Value, name: str, kind: Kind) -> Copy:
    fields = value.fields()
    using = _needed(value, fields, "using").fields()
    into = _needed(value, fields, "into").text()
    source, method, selector = (
        _needed(value, fields, "from"),
        _needed(value, using, "method"),
        _needed(value, using, "selector"),
    )
    if kind is not Kind.TEXT:
        raise value.unfit(f'no equivalent for {kind.value}: write a template, `{{template: "${{request[0:4]}}"}}`')
    if source.is_mapping or source.text().lower() != "data":
        raise source.unfit(
            "no equivalent: only `data` can be copied; `peer.host` in a template is the client's address"
        )
    if method.text() != "regex":
        raise method.unfit(
            "no equivalent: the token stays in the reply; write `${json(request, 'PATH')}` in a template"
        )
    if not into:
        raise value.unfit("mountebank needs a token in `into`")
    return _translated(selector, using.get("options"), into, name)


def _translated(selector: Value, options: Value | None, into: str, name: str) -> Copy:
    given = options.fields() if options is not None else {}
    ignore_case = "ignoreCase" in given and given["ignoreCase"].boolean()
    source = selector.text()
    if "multiline" in given and given["multiline"].boolean() and re.search(r"[$^]", source):
        raise given["multiline"].unfit("no equivalent: write the ends of lines in the pattern, as in (?:^|\\n)")
    try:
        plain = javascript.translate(source, ignore_case=ignore_case)
        named = javascript.translate(source, ignore_case=ignore_case, prefix=name)
    except re2.NoEquivalent as problem:
        raise selector.unfit(f"{problem}; the token stays in the reply") from None
    return Copy(into, plain.pattern, named.captured(f"{name}_0"), name, plain.groups)


def _needed(owner: Value, fields: dict[str, Value], name: str) -> Value:
    if name not in fields:
        raise owner.unfit(f"{name} is missing")
    return fields[name]


def conditions(copies: Sequence[Copy]) -> list[dict[str, Any]]:
    """Conditions that always hold and capture what the copies find."""
    return [{"any": [{"regex": copy.capturing}, {"size": {"min": 0}}]} for copy in copies]


def template(text: str, copies: Sequence[Copy]) -> str | None:
    """The template of a text with tokens; None if it has no token of these copies."""
    pieces: list[tuple[str, str]] = [("text", text)]
    for copy in copies:
        pieces = [each for piece in pieces for each in (_split(piece[1], copy) if piece[0] == "text" else [piece])]
    if all(kind == "text" for kind, _ in pieces):
        return None
    return "".join(piece.replace("$", "$$") if kind == "text" else f"${{{piece}}}" for kind, piece in pieces)


def _split(text: str, copy: Copy) -> Iterator[tuple[str, str]]:
    """Text and expressions, in turn."""
    begin = 0
    for found in re.finditer(rf"{re.escape(copy.into)}(?:\[([0-9]{{1,3}})\])?", text):
        index = int(found[1]) if found[1] is not None and str(int(found[1])) == found[1] else None
        known = index is not None and index <= copy.groups
        token = found[0] if known else copy.into
        if found.start() > begin:
            yield "text", text[begin : found.start()]
        value = f"{copy.name}_{index if known else 0}"
        yield (
            "expression",
            f"{value} if matches(request, {literal(copy.pattern.encode())}) else {literal(token.encode())}",
        )
        begin = found.start() + len(token)
    if begin < len(text):
        yield "text", text[begin:]
