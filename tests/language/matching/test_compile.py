"""Conditions are compiled to matches and to explanations; both always agree."""

from hypothesis import given
from hypothesis import strategies as st

from answerback.language.context import Compiling
from answerback.language.matching import compile_match, explain_match
from answerback.v1 import config_pb2 as v1
from tests.language.compiling import RequestContext
from tests.language.strategies import matches

asked = st.binary(max_size=8) | st.text("aAé\n", max_size=6).map(str.encode)


@given(match=matches, request_bytes=asked)
def test_compiled_match_has_a_miss_exactly_if_it_does_not_hold(match: v1.Match, request_bytes: bytes) -> None:
    holds = compile_match(match, Compiling({}))(request_bytes, RequestContext(request_bytes))
    miss = explain_match(match, Compiling({}))(request_bytes, RequestContext(request_bytes))
    assert holds == (miss is None)


def test_compiled_match_uses_the_content_of_its_file() -> None:
    match = v1.Match(equals=v1.Literal(file="greeting"))
    assert compile_match(match, Compiling({"greeting": b"hi"}))(b"hi", RequestContext(b"hi"))
    miss = explain_match(match, Compiling({"greeting": b"hi"}))(b"ho", RequestContext(b"ho"))
    assert miss is not None
    assert miss.why == 'is not "hi": byte 1 is "o", not "i"'
