"""Fields of HTTP requests in predicates: expressions on what the framing `http` knows of a request."""

import re
from dataclasses import dataclass
from typing import Final

from answerback.importing import javascript, re2
from answerback.importing.expressions import COMPARISONS, literal
from answerback.importing.mountebank.conditions import ALWAYS, Condition, all_of, peer, text_of
from answerback.importing.source import Value

_VALUES: Final = {"method": "http.method", "path": "http.path", "body": "http.body"}
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Patterns for a parameter of the query; NAME and VALUE are replaced by patterns.
_PARAMETERS: Final = {
    "equals": "(?:^|&)NAME=VALUE(?:&|$)",
    "contains": "(?:^|&)NAME=[^&]*VALUE",
    "startsWith": "(?:^|&)NAME=VALUE",
    "endsWith": "(?:^|&)NAME=[^&]*VALUE(?:&|$)",
}
_WORDS: Final = {
    "equals": "equals",
    "deepEquals": "equals",
    "contains": "contains",
    "startsWith": "prefix",
    "endsWith": "suffix",
}
_KNOWN: Final = "method, path, query, headers, body, ip"


@dataclass(frozen=True, slots=True)
class How:
    """How a predicate compares."""

    operator: str
    sensitive: bool
    """Whether the case of letters matters in values."""
    exact: bool
    """Whether it matters in names of fields."""


def condition(given: str, expected: Value, how: How) -> Condition:
    """The condition that a field of the request is, or has, what is expected. Raises Unfit."""
    name = given if how.exact else given.lower()
    if name in _VALUES:
        return _compared(_VALUES[name], expected, how)
    if name == "ip" and how.operator == "equals":
        return peer(expected)
    if name in {"query", "headers"} and how.operator == "deepEquals":
        if name == "query" and expected.is_mapping and not expected.fields():
            return {"expr": "http.query == ''"}
        raise expected.unfit(f"no equivalent: write `equals`, which allows other {name}")
    if name == "headers":
        return all_of([_header(each, value, how) for each, value in expected.fields().items()])
    if name == "query":
        return all_of([_parameter(each, value, how) for each, value in expected.fields().items()])
    raise expected.unfit(f"no equivalent for {given!r} with {how.operator}: {_KNOWN} are known")


def _header(name: str, expected: Value, how: How) -> Condition:
    if not _TOKEN.fullmatch(name):
        raise expected.unfit(f"{name!r} is not the name of a header")
    return _compared(f"http.header({literal(name.encode())})", expected, how)


def _compared(value: str, expected: Value, how: How) -> Condition:
    if how.operator == "exists":
        return {"expr": f"len({value}) > 0" if expected.boolean() else f"{value} == ''"}
    text = text_of(expected)
    if how.operator == "matches":
        return {"expr": f"matches({value}, {literal(_translated(text, expected, how).encode())})"}
    kind = _WORDS[how.operator]
    if not text and kind != "equals":
        return ALWAYS
    if not how.sensitive and re2.has_case(text):
        raise expected.unfit("no equivalent for letters outside ASCII, unless `caseSensitive` is true")
    wanted = text.encode() if how.sensitive else text.encode().lower()
    caseless = how.sensitive or wanted == wanted.upper()
    return {"expr": COMPARISONS[kind](value if caseless else f"lower({value})", literal(wanted), len(wanted))}


def _parameter(name: str, expected: Value, how: How) -> Condition:
    """A condition on a parameter of the query, which may be written with escapes."""
    named = _escaped(name, ignore_case=not how.exact)
    begin = f"(?:^|&)(?i:{named})=" if how.sensitive and not how.exact else f"(?:^|&){named}="
    flags = "" if how.sensitive else "(?i)"
    if how.operator == "exists":
        found = {"expr": f"matches(http.query, {literal(f'{flags}{begin}[^&]'.encode())})"}
        return found if expected.boolean() else {"not": found}
    if how.operator not in _PARAMETERS:
        raise expected.unfit("no equivalent: write a pattern over the whole query, `expr: matches(http.query, '…')`")
    text = text_of(expected)
    if how.operator == "equals" and not text:
        raise expected.unfit("no equivalent: write `exists`, or a pattern over the whole query")
    value = _escaped(text, ignore_case=not how.sensitive)
    pattern = _PARAMETERS[how.operator].replace("(?:^|&)NAME=", begin, 1).replace("VALUE", value)
    return {"expr": f"matches(http.query, {literal(f'{flags}{pattern}'.encode())})"}


def _escaped(text: str, *, ignore_case: bool) -> str:
    """A pattern for a text as it may be in a query: each character as it is, or as `%XX`, a blank also as `+`."""
    return "".join(_either(each, ignore_case=ignore_case) for each in text)


def _either(one: str, *, ignore_case: bool) -> str:
    if one.isascii() and one.isalnum():
        return one
    percent = "|".join(_percent(each) for each in (re2.cases(one) if ignore_case and not one.isascii() else [one]))
    plain = r"\+" if one == " " else re2.character(one, ignore_case=ignore_case)
    return f"(?:{plain}|(?i:{percent}))"


def _percent(one: str) -> str:
    return "".join(f"%{byte:02X}" for byte in one.encode())


def _translated(text: str, expected: Value, how: How) -> str:
    try:
        return javascript.translate(text, ignore_case=not how.sensitive).pattern
    except re2.NoEquivalent as problem:
        raise expected.unfit(str(problem)) from None
