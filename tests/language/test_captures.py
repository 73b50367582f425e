import pytest

from answerback.language.captures import NONE, UNKNOWN, Captures, captures_in, twice_named
from answerback.language.matching import captures_of
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import rule

FOUND = {
    "a": NONE,
    "{regex: a}": NONE,
    "{regex: '(a)(?:b)(?P<c>c)'}": Captures(frozenset({"c"}), 2),
    "{any: [{regex: '(a)(b)'}, {all: [{regex: '(?P<c>c)'}]}]}": Captures(frozenset({"c"}), 2),
    "{not: {regex: '(a)'}}": NONE,
    "{any: [{regex: '(a)'}, {regex: '('}]}": UNKNOWN,
}


@pytest.mark.parametrize("text, captures", FOUND.items())
def test_captures_of_a_condition_are_found(text: str, captures: Captures) -> None:
    found = captures_of(rule(f"when: {text}").listeners[0].rules[0].when)
    assert (found is UNKNOWN) == (captures is UNKNOWN)
    assert found == captures


def test_match_without_condition_has_no_captures() -> None:
    assert captures_of(v1.Match()) == NONE


def test_unknown_captures_have_every_name() -> None:
    assert "any" in UNKNOWN.names
    assert captures_in("(") is None


def test_capture_names_given_twice_are_found() -> None:
    assert twice_named("(?P<a>x)(?<b>y)(?P<a>z)(?P<c>)(?<b>)") == ["a", "b"]
    assert twice_named(r"(?P<a>x)\(?P<a>[(?P<a>]\Q(?P<a>\E(?i)(?:x)") == []
