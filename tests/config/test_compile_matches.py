"""Conditions become matches, and what says why those do not hold; the two always agree."""

from hypothesis import given
from hypothesis import strategies as st

from answerback.config.compile_matches import compile_match
from answerback.core import matching
from answerback.core.matching import misses
from answerback.v1 import config_pb2 as v1
from tests.config.compiling import Turn
from tests.config.strategies import matches

asked = st.binary(max_size=8) | st.text("aAé\n", max_size=6).map(str.encode)


@given(match=matches, request_bytes=asked)
def test_there_is_a_reason_exactly_where_there_is_no_match(match: v1.Match, request_bytes: bytes) -> None:
    holds = compile_match(match, {}, matching)(request_bytes, Turn(request_bytes))
    miss = compile_match(match, {}, misses)(request_bytes, Turn(request_bytes))
    assert holds == (miss is None)


def test_files_are_what_the_condition_names() -> None:
    match = v1.Match(equals=v1.Literal(file="greeting"))
    assert compile_match(match, {"greeting": b"hi"}, matching)(b"hi", Turn(b"hi"))
    miss = compile_match(match, {"greeting": b"hi"}, misses)(b"ho", Turn(b"ho"))
    assert miss is not None
    assert miss.why == 'is not "hi": byte 1 is "o", not "i"'
