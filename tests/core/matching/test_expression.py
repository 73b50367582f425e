from typing import Any

import pytest

from answerback.core import matching
from answerback.core.matching import Matcher
from answerback.core.matching.effort import effort_of
from answerback.core.matching.expression import Condition, explain_expression, slice_equals
from answerback.language.expressions import Scope, Type, compile_expression
from tests.core.matching.turns import asked
from tests.core.turns import MadeUp


def compiled(text: str) -> Matcher:
    return matching.expression(Condition(compile_expression(text, Type.BOOL, Scope()), text))


@pytest.mark.parametrize("request_, holds", [(b"\x81", True), (b"\x01", False), (b"", False)])
def test_expression_matches_where_it_is_true_and_fails_as_false(request_: bytes, holds: bool) -> None:
    assert asked(compiled("request[0] & 0x80 != 0"), request_) is holds


@pytest.mark.parametrize("text", ["not request[0] == 1", "request[0] == 1 or True", "1 // len(request) != 0"])
def test_expression_that_fails_is_false_as_a_whole(text: str) -> None:
    assert not asked(compiled(text), b"")


@pytest.mark.parametrize(
    "text, by_bytes",
    [
        ("len(request) > 3", True),
        ("1 < 2", True),
        ("state == ''", False),
        ("peer.port == 1", False),
        ("vars.a == request", False),
        ("request_number == 1", False),
        ("randint(1, 2) == 1", False),
        ("unix() > 1", False),
    ],
)
def test_only_an_expression_of_the_request_alone_is_cached(text: str, by_bytes: bool) -> None:
    assert effort_of(compiled(text)).by_bytes is by_bytes


def test_expression_of_more_parts_weighs_more() -> None:
    small = effort_of(compiled("request == 'a'")).weight
    large = effort_of(compiled("crc16(request) == 1 or request == ''")).weight
    assert 1 < small < 16 < large


@pytest.mark.parametrize("part", [slice(None), slice(0, 2), slice(1, 3), slice(-2, None), slice(-3, -1), slice(2, 1)])
@pytest.mark.parametrize("literal", [b"", b"a", b"ab", b"abc"])
@pytest.mark.parametrize("request_", [b"", b"a", b"ab", b"abc", b"xabc", b"abcabc"])
def test_slice_equals_compares_as_python_does(part: slice, literal: bytes, request_: bytes) -> None:
    assert asked(slice_equals(part, literal), request_) is (request_[part] == literal)
    assert asked(slice_equals(part, literal, negated=True), request_) is (request_[part] != literal)
    assert effort_of(slice_equals(part, literal)).by_bytes
    assert effort_of(slice_equals(part, literal, negated=True)).by_bytes


def told(text: str, turn: MadeUp, *compared: str) -> Any:
    sides: Any = tuple(compile_expression(each, Type.INT, Scope()) for each in compared) or None
    miss = explain_expression(Condition(compile_expression(text, Type.BOOL, Scope()), text, sides))(turn.request, turn)
    return miss and miss.why


def test_mismatch_of_an_expression_names_the_values_that_are_compared() -> None:
    assert told("len(request) == 3", MadeUp(b"abc")) is None
    assert told("len(request) == 3", MadeUp(b"ab"), "len(request)", "3") == (
        "does not fulfil len(request) == 3: the values are 2 and 3"
    )
    assert told("not request == ''", MadeUp(b"")) == "does not fulfil not request == ''"
    assert told("request[4] == 1", MadeUp(b""), "request[4]", "1") == (
        "does not fulfil request[4] == 1: there is no byte 4: there are 0"
    )
