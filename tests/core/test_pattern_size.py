import time
from collections.abc import Callable

import pytest
import re2
from hypothesis import assume, example, given
from hypothesis import strategies as st

from answerback.core import patterns
from answerback.core.pattern_size import MAX_INSTRUCTIONS, TooLarge, check_size, instructions

ATOMS = st.sampled_from([
    "a", "k", ".", "[ab]", "[^a]", r"\d", r"\w", r"\W", r"\s", r"\S", r"\D", r"\pL", r"\PL", r"\p{Greek}", r"[\pL\pN]",
    "[[:^alpha:]]", "[[:punct:]x]", r"[\x00-\x10\x20-\x30\xe0-\xff]", r"[^\d\s]", "é", r"\xff", "^", "$", r"\b", r"\B",
    "", r"\C", r"\Qa*\E", "[]a]", "[a-]", "{", "{,3}", "{01}", "(?s)", "(?U)", "(?m)", "(?i)",
])  # fmt: skip
REPETITIONS = st.sampled_from(
    ["*", "+", "?", "*?", "??", "{2}", "{0,3}", "{1,}", "{0,}", "{3,7}", "{0}", "{2,}", "{5}"]
)
GROUPS = st.sampled_from(["(", "(?:", "(?i:", "(?s-i:"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.builds(lambda begin, some: f"{begin}{'|'.join(some)})", GROUPS, st.lists(inner, min_size=1, max_size=4)),
        st.builds(lambda one, many: f"(?:{one}){many}", inner, REPETITIONS),
        st.builds(lambda one, many: f"{one}{many}", ATOMS, REPETITIONS),
    ),
    max_leaves=12,
)


def program_size(pattern: str) -> int | None:
    """What RE2 makes of it, however large; None if it refuses it."""
    options = patterns._options(True, 64 << 20)
    try:
        return int(re2.compile(pattern.encode(), options).programsize)
    except re2.error:
        return None
    finally:
        re2.purge()


@given(pattern=PATTERNS)
@example(pattern=r"(?:(?:\xff)+??){2}")
@example(pattern=r"(?:(?:\W)+)*?")
@example(pattern="a(?i){7}")
@example(pattern=r"a\Q\E{7}")
@example(pattern=r"(\C+|\C+|\C+)")
@example(pattern=r"((?s:.)+|(?s:.)*|(?s:.)+)")
def test_counted_instructions_are_never_fewer_than_those_of_re2(pattern: str) -> None:
    counted = instructions(pattern)
    assume(counted <= 20_000)
    made = program_size(pattern)
    assume(made is not None)
    assert made is not None
    assert made <= counted


@pytest.mark.parametrize(
    "pattern, most",
    [
        ("a", 6),
        ("abc" * 10, 36),
        ("a?" * 10, 26),
        ("(a|b|c)", 14),
        ("a{10}", 16),
        ("a{0,10}", 26),
        ("[a-z0-9_]{10}", 40),
    ],
)
def test_counted_instructions_are_close_for_ordinary_patterns(pattern: str, most: int) -> None:
    """A bound that counts too much would refuse what is harmless."""
    made = program_size(pattern)
    assert made is not None
    assert made <= instructions(pattern) <= most


def largest(form: Callable[[int], str]) -> str:
    """The largest pattern of a form that is taken."""
    low, high = 1, 1 << 13
    while low < high:
        middle = (low + high + 1) // 2
        try:
            check_size(form(middle))
            low = middle
        except TooLarge:
            high = middle - 1
    return form(low)


# What made RE2 slowest of 250 hand-made and generated families: chains of parts that may be empty, and Unicode classes.
SLOWEST: dict[str, Callable[[int], str]] = {
    "optional": lambda n: "a?" * n,
    "optional, lazy": lambda n: "a??" * n,
    "optional groups": lambda n: "(?:a|)" * n,
    "counted": lambda n: "a{0,30}" * n,
    "counted, nested": lambda n: "(?:a{0,30}){0,10}" * n,
    "alternatives that repeat": lambda n: "|".join(["a*"] * n),
    "nested": lambda n: "(?:a?" * min(n, 900) + ")?" * min(n, 900),
    "Unicode classes": lambda n: r"[^\P{Lu}]" * n,
    "groups": lambda n: "(a?)" * n,
    "a class of many items": lambda n: "[" + r"\x01a-z\d" * n + "]",
    "any byte": lambda n: "." * n,
}


@pytest.mark.parametrize("form", SLOWEST.values(), ids=SLOWEST)
def test_largest_patterns_compile_within_milliseconds(form: Callable[[int], str]) -> None:
    """About 6 ms of CPU at the worst; ten times that is allowed for a busy machine, where 97 KiB of `a?` took 4 s."""
    pattern = largest(form)
    spent = []
    for _ in range(3):
        began = time.thread_time()
        patterns.Compiler().compile(pattern, True)
        spent.append(time.thread_time() - began)
    assert min(spent) < 0.06


REFUSED = {
    "a" * 16385: "too long: 16385 bytes; a pattern has 16384 at most. Write several rules",
    "é" * 8193: "too long: 16386 bytes; a pattern has 16384 at most. Write several rules",
    "a?" * 1998: "too large: RE2 would make up to 4001 instructions of it; a pattern has 4000 at most. Repeat less "
    "(`{n,m}` counts each time), or write several rules",
    "()" * 101: "101 groups; a pattern has 100 at most. Write (?:…) where nothing is captured",
    "(?P<a>)" + "(?<b>)" + "()" * 99: "101 groups; a pattern has 100 at most. Write (?:…) where nothing is captured",
    r"\pL" * 33: r"33 times \p or \P; a pattern has 32 at most. Write [\pL\pN] or \PZ for several",
    r"[\pL\PN\p{Greek}]" * 11: r"33 times \p or \P; a pattern has 32 at most. Write [\pL\pN] or \PZ for several",
    r"(?i)a\pL": r"\p and \P take RE2 too long under (?i): write (?-i:\p{…}), which ends it for that class",
    r"(?i:[a\PN])": r"\p and \P take RE2 too long under (?i): write (?-i:\p{…}), which ends it for that class",
}


@pytest.mark.parametrize("pattern, why", REFUSED.items(), ids=[pattern[:20] for pattern in REFUSED])
def test_too_large_pattern_is_rejected_with_advice(pattern: str, why: str) -> None:
    with pytest.raises(TooLarge) as caught:
        check_size(pattern)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?i)[\\pL]\\p",
        "a" * 3995,
        "a?" * 1997,
        "()" * 100,
        r"\pL" * 32,
        r"(?i)a(?-i:\pL)",
        r"(?i:a)\pL",
        "(?:" * 900 + ")" * 900,
    ],
)
def test_pattern_at_the_limit_is_accepted(pattern: str) -> None:
    assert check_size(pattern) <= MAX_INSTRUCTIONS
    assert program_size(pattern) is not None


@pytest.mark.parametrize(
    "part",
    ["[[:", r"\p{", r"[\p{", r"\x{", r"[\x{", r"[a-\x{", "(?P<", r"\Q", "[", "(?i", "(?i-s", "{1", "[^[:^a"],
)
def test_unterminated_pattern_parts_are_parsed_in_linear_time(part: str) -> None:
    """Four times the text takes four times the time, where it would be sixteen if each part were read to the end."""

    def spent(times: int) -> float:
        found = []
        for _ in range(5):
            began = time.thread_time()
            instructions(part * times)
            found.append(time.thread_time() - began)
        return min(found)

    assert spent(8000) < 9 * spent(2000) + 0.002


@given(pattern=st.text(alphabet="ab()[]{}|*+?\\Q:^$.,0123456789-iPpE<>", max_size=60))
@example(pattern="[[:[:[:[:" * 8)
@example(pattern="{" + "9" * 5000 + "}")
@example(pattern="a{999999999}" * 3)
@example(pattern=")))(((")
@example(pattern="(?i" + "a{9}" * 5)
def test_pattern_size_is_never_below_that_of_re2(pattern: str) -> None:
    counted = instructions(pattern)
    made = program_size(pattern) if counted <= 20_000 else None
    assert made is None or made <= counted


def test_assertions_are_not_counted_as_unicode_classes() -> None:
    check_size(r"\b" * 100 + r"\pL" * 32)
