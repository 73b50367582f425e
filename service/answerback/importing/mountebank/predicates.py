"""Predicates to conditions. Raises Unfit for what has no equivalent; then the whole stub has none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from answerback.importing import javascript, re2
from answerback.importing.mountebank import http_fields
from answerback.importing.mountebank.conditions import ALWAYS, NEVER, Condition, all_of, any_of, peer, text_of
from answerback.importing.mountebank.data import Kind, data_of, payload
from answerback.importing.mountebank.ignored import Ignored, ignored
from answerback.importing.source import Value

# Rule: mountebank takes the first operator of a predicate, and ignores others; it ignores the case of letters, unless
#       `caseSensitive` is true.

_NOT_EMPTY: Final[Condition] = {"size": {"min": 1}}

_PARAMETERS = ("caseSensitive", "except", "keyCaseSensitive", "xpath", "jsonpath")
_FIELDS = ("data", "ip", "requestFrom")


def condition(predicates: Value, kind: Kind) -> Condition | None:
    """The condition that all predicates of a stub hold; None if there are none. Raises Unfit."""
    found = [_predicate(each, kind) for each in predicates.items()]
    return all_of(found) if found else None


def _predicate(predicate: Value, kind: Kind) -> Condition:
    fields = predicate.fields()
    operator = next((name for name in fields if name in _OPERATORS), None)
    if operator is None:
        raise predicate.unfit(f"no predicate of mountebank: {', '.join(_OPERATORS)} are known")
    for name, value in fields.items():
        if name != operator and name not in _PARAMETERS:
            raise value.unfit(f"mountebank ignores this beside {operator}: leave it out, or write a predicate for each")
    return _OPERATORS[operator](fields[operator], fields, kind)


def _and(operand: Value, _fields: Mapping[str, Value], kind: Kind) -> Condition:
    return all_of([_predicate(each, kind) for each in operand.items()])


def _or(operand: Value, _fields: Mapping[str, Value], kind: Kind) -> Condition:
    return any_of([_predicate(each, kind) for each in operand.items()])


def _not(operand: Value, _fields: Mapping[str, Value], kind: Kind) -> Condition:
    return {"not": _predicate(operand, kind)}


def _inject(operand: Value, _fields: Mapping[str, Value], _kind: Kind) -> Condition:
    raise operand.unfit("JavaScript has no equivalent: write the condition as `when: {expr: …}`")


@dataclass(frozen=True, slots=True)
class _How:
    """How a predicate compares."""

    sensitive: bool
    """Whether the case of letters matters."""
    kind: Kind
    ignored: Ignored | None
    """What is removed before."""


Test = Callable[[Value, _How], Condition]


def _compare(operator: str, test: Test) -> Callable[[Value, Mapping[str, Value], Kind], Condition]:
    """An operator that compares fields of the request, each with what is expected."""

    def compare(operand: Value, fields: Mapping[str, Value], kind: Kind) -> Condition:
        _check_parameters(fields)
        sensitive = _flag(fields, "caseSensitive")
        # The names of fields are compared as their values are, unless `keyCaseSensitive` says otherwise.
        exact = sensitive and _flag(fields, "keyCaseSensitive", default=True)
        if kind is Kind.HTTP:
            if "except" in fields and fields["except"].text():
                raise fields["except"].unfit("no equivalent for HTTP: write a pattern, `expr: matches(http.path, '…')`")
            how_http = http_fields.How(operator, sensitive, exact)
            return all_of([http_fields.condition(name, each, how_http) for name, each in operand.fields().items()])
        how = _How(sensitive, kind, _ignored(fields, ignore_case=not sensitive and operator != "matches"))
        return all_of([_field(name, each, test, how, exact=exact) for name, each in operand.fields().items()])

    return compare


def _field(given: str, expected: Value, test: Test, how: _How, *, exact: bool) -> Condition:
    known = {(name if exact else name.lower()): name for name in _FIELDS}
    name = known.get(given if exact else given.lower())
    if name is None:
        raise expected.unfit(f"a TCP request of mountebank has no field {given!r}: {', '.join(_FIELDS)} are known")
    return _tested(test, expected, how) if name == "data" else _peer(test, name, expected, how)


def _tested(test: Test, expected: Value, how: _How) -> Condition:
    try:
        return test(expected, how)
    except re2.NoEquivalent as problem:
        raise expected.unfit(str(problem)) from None


def _check_parameters(fields: Mapping[str, Value]) -> None:
    if "jsonpath" in fields:
        raise fields["jsonpath"].unfit(
            "no equivalent: write `when: {expr: \"json(request, 'PATH') == 'TEXT'\"}`, with a path such as a[0].b"
        )
    if "xpath" in fields:
        raise fields["xpath"].unfit("no equivalent: write a pattern, `when: {regex: '<name>TEXT</name>'}`")


def _ignored(fields: Mapping[str, Value], *, ignore_case: bool) -> Ignored | None:
    source = fields["except"].text() if "except" in fields else ""
    if not source:
        return None
    try:
        return ignored(source, ignore_case=ignore_case)
    except re2.NoEquivalent as problem:
        raise fields["except"].unfit(str(problem)) from None


def _flag(fields: Mapping[str, Value], name: str, *, default: bool = False) -> bool:
    return fields[name].boolean() if name in fields else default


def _peer(test: Test, name: str, expected: Value, how: _How) -> Condition:
    """A condition on where the client is. Only an address as a whole has an equivalent."""
    if how.ignored is None:
        if test is _exists:
            return ALWAYS if expected.boolean() else NEVER
        if name == "ip" and test is _equals:
            return peer(expected)
    raise expected.unfit("no equivalent: write `when: {peer: ADDRESS}`, or an expression with peer.host and peer.port")


def _bytes(expected: Value, how: _How) -> bytes:
    data = (
        data_of(expected, binary=True) if how.kind is Kind.BINARY and expected.is_text else text_of(expected).encode()
    )
    return how.ignored.stripped(data) if how.ignored else data


def _words(kind: str, anchored: str) -> Test:
    """A comparison with bytes, `kind` in a configuration. `anchored`: the same as a pattern, {} being the bytes."""

    def compare(expected: Value, how: _How) -> Condition:
        if kind == "suffix" and not expected.is_text:
            raise expected.unfit("mountebank needs text here: write it in quotes")
        data = _bytes(expected, how)
        if not data and kind != "equals":
            return ALWAYS
        if how.ignored is not None:
            return how.ignored.compared(kind, data)
        return _word(kind, anchored, data, how) if data else NEVER

    return compare


def _word(kind: str, anchored: str, data: bytes, how: _How) -> Condition:
    text = data.decode(errors="ignore")
    if not how.sensitive and text.encode() == data and re2.has_case(text):
        return {"regex": f"(?i){anchored.format(re2.literal(text, ignore_case=True))}"}
    caseless = how.sensitive or data.upper() == data.lower()
    return {kind: payload(data) | ({} if caseless else {"ignore_case": True})}


def _matches(expected: Value, how: _How) -> Condition:
    if how.kind is Kind.BINARY:
        raise expected.unfit(
            "mountebank rejects `matches` in binary mode: write `when: {regex: …}`, which is over bytes"
        )
    pattern = javascript.translate(text_of(expected), ignore_case=not how.sensitive).pattern
    return how.ignored.matched(pattern) if how.ignored else {"regex": pattern}


def _exists(expected: Value, how: _How) -> Condition:
    left = how.ignored.left() if how.ignored else _NOT_EMPTY
    return left if expected.boolean() else {"not": left}


_equals = _words("equals", "^{}$")

_OPERATORS: Final[Mapping[str, Callable[[Value, Mapping[str, Value], Kind], Condition]]] = {
    "equals": _compare("equals", _equals),
    "deepEquals": _compare("deepEquals", _equals),
    "contains": _compare("contains", _words("contains", "{}")),
    "startsWith": _compare("startsWith", _words("prefix", "^{}")),
    "endsWith": _compare("endsWith", _words("suffix", "{}$")),
    "matches": _compare("matches", _matches),
    "exists": _compare("exists", _exists),
    "and": _and,
    "or": _or,
    "not": _not,
    "inject": _inject,
}
