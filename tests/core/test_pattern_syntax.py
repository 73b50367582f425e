import re
from itertools import product
from math import inf

import pytest
from hypothesis import given

from answerback.core import patterns
from answerback.core.pattern_syntax import anchored, tokens, widest
from tests.core.framing.test_pattern import PATTERNS

TOKENS = [
    ("ab", [b"a", b"b"]),
    ("^a$", [b"^", b"a", b"$"]),
    (r"\^\$\\\b", [rb"\^", rb"\$", rb"\\", rb"\b"]),
    ("[$^][]a][^]b][[:alpha:]]", [b"[$^]", b"[]a]", b"[^]b]", b"[[:alpha:]]"]),
    (r"[\]$]x", [rb"[\]$]", b"x"]),
    (r"\Qa$\E$", [rb"\x61", rb"\x24", b"$"]),
    (r"\Q^", [rb"\x5e"]),
    (r"\x0a\x{0a}\12\123\pN\p{Greek}\C", [rb"\x0a", rb"\x{0a}", rb"\12", rb"\123", rb"\pN", rb"\p{Greek}", rb"\C"]),
    ("(?P<a>(?:(?i)(?s-m:(b))))", [b"(?P<a>", b"(?:", b"(?i)", b"(?s-m:", b"(", b"b", b")", b")", b")", b")"]),
    ("a{2}{,3}*?", [b"a", b"{2}", b"{", b",", b"3", b"}", b"*?"]),
    ("é", [b"\xc3", b"\xa9"]),
]


@pytest.mark.parametrize("pattern, parts", TOKENS)
def test_pattern_is_split_into_its_tokens(pattern: str, parts: list[bytes]) -> None:
    patterns.compile(pattern)
    assert list(tokens(pattern)) == parts


WIDEST = [
    ("", 0),
    ("abc", 3),
    (r"\x0110=\d{3}\x01", 8),
    ("a|bcd|ef", 3),
    ("(a|bc){2,3}d", 7),
    ("(?:ab?)+", inf),
    ("a*", inf),
    ("a{2,}", inf),
    ("(?:)*", 0),
    (r"^\b(?i)a$", 1),
    ("é", 2),
    ("{a}", 3),
    (r"\x{41}{5}\Qab\E", 7),
    ("[[:alpha:]]{2}?", 2),
]


@pytest.mark.parametrize("pattern, most", WIDEST)
def test_pattern_widest_match_is_computed(pattern: str, most: float) -> None:
    patterns.compile(pattern)
    assert widest(pattern) == most


SHORT = ["".join(letters) for size in range(6) for letters in product("ab\n", repeat=size)]


@given(pattern=PATTERNS)
def test_pattern_widest_is_never_exceeded_by_a_match(pattern: str) -> None:
    matched = [len(text) for text in SHORT if re.fullmatch(pattern, text)]
    assert max(matched, default=0) <= widest(pattern)
    if widest(pattern) <= 5:
        assert max(matched, default=0) == widest(pattern)


ANCHORED = [
    ("^a", True),
    (r"\Aa", True),
    ("(?i)^a", True),
    ("^(a|b)", True),
    ("^(?P<m>a)", True),
    ("^", True),
    ("a", False),
    ("", False),
    ("^a|b", False),
    ("^a|^b", False),  # it is, but that is not plain
    ("(?m)^a", False),
    ("^(?:)(?m)a", False),
    ("(?:^)?a", False),
    ("^*a", False),
    ("(^a)", False),
]


@pytest.mark.parametrize("pattern, plainly", ANCHORED)
def test_pattern_anchored_at_the_beginning_is_detected(pattern: str, plainly: bool) -> None:
    patterns.compile(pattern)
    assert anchored(list(tokens(pattern))) is plainly
