import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching
from answerback.core.patterns import PatternError
from tests.core.framing.test_pattern import PATTERNS, STREAMS
from tests.core.matching.turns import asked
from tests.core.turns import MadeUp


def test_regex_match_with_anchors_fits_the_whole_request() -> None:
    matches = matching.regex(r"^a.c$")
    assert asked(matches, b"a\xffc")
    assert not any(asked(matches, other) for other in [b"xabc", b"abcd", b"ac", b"a\nc"])


def test_regex_match_without_anchors_is_searched_for() -> None:
    assert asked(matching.regex("b+"), b"abbc")


def test_regex_match_sets_the_captures_of_the_turn() -> None:
    turn = MadeUp()
    assert asked(matching.regex(r"^(\w+) (?P<what>.*?)(x)?$"), b"ECHO hi", turn)
    assert turn.captures is not None
    assert [turn.captures.group(number) for number in range(4)] == [b"ECHO hi", b"ECHO", b"hi", None]
    assert turn.captures.group("what") == b"hi"
    with pytest.raises(IndexError):
        turn.captures.group("unknown")


def test_regex_without_match_leaves_captures_unchanged() -> None:
    turn = MadeUp()
    assert asked(matching.regex("a"), b"a", turn)
    before = turn.captures
    assert not asked(matching.regex("a"), b"b", turn)
    assert turn.captures is before


def test_regex_match_rejected_by_re2_raises_pattern_error() -> None:
    with pytest.raises(PatternError):
        matching.regex("(")


@given(pattern=PATTERNS, request_bytes=STREAMS, ends=st.sampled_from(["{}", "^(?:{})", "(?:{})$", "^(?:{})$"]))
def test_regex_match_agrees_with_python_re(pattern: str, request_bytes: bytes, ends: str) -> None:
    whole = ends.format(pattern)
    plainly = re.search(whole.replace("$", r"\Z").encode(), request_bytes)  # `$` also matches before a last LF there
    turn = MadeUp()
    assert asked(matching.regex(whole), request_bytes, turn) == (plainly is not None)
    if plainly is not None:
        assert turn.captures is not None
        assert turn.captures.group(0) == plainly.group(0)
