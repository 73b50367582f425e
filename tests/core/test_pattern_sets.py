from collections.abc import Callable, Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import pattern_sets, patterns
from answerback.core.pattern_sets import Sets, loose_ends
from answerback.core.pattern_syntax import tokens
from answerback.core.patterns import PatternError
from tests.core.framing.test_pattern import PATTERNS, STREAMS

WHOLE = st.builds(
    str.format, st.sampled_from(["{}", "^{}", "^(?:{})$", "(?m)^{}$", "(?i){}", ".*{}", "^a{}"]), PATTERNS
)


def one_by_one(ordered: Sequence[str], data: bytes) -> list[int]:
    return [at for at, pattern in enumerate(ordered) if patterns.compile(pattern).search(data) is not None]


@given(ordered=st.lists(WHOLE, max_size=12), data=STREAMS)
def test_pattern_sets_find_the_same_as_single_patterns(ordered: list[str], data: bytes) -> None:
    assert list(Sets(ordered).matching(data)) == one_by_one(ordered, data)


MANY = [f"^{number} " if number % 3 else f"x{number}.*y" if number % 2 else f"a{number}b" for number in range(1000)]


@pytest.mark.parametrize("data", [b"7 ", b"x9y", b"a6b", b"7 x3x9yya6b", b"7 " + b"x333a666b" * 100 + b"y", b""])
def test_pattern_sets_of_a_thousand_find_the_same_as_single_patterns(data: bytes) -> None:
    assert list(Sets(MANY).matching(data)) == one_by_one(MANY, data)


def test_fifty_patterns_are_searched_in_one_pass() -> None:
    assert len(Sets([f"(?i)^CMD{number} (?P<what>.*)$" for number in range(50)])._searches) == 1
    assert len(Sets([f"ERR{number}" for number in range(50)])._searches) == 1


def test_set_of_5000_patterns_can_be_searched() -> None:
    ordered = [f"^{number} (\\S+)$" for number in range(5000)]
    assert list(Sets(ordered).matching(b"4999 yes")) == [4999]


@pytest.mark.parametrize("times, searches", [(150, 1), (250, 2)])
def test_pattern_of_more_than_half_of_a_set_is_searched_alone(times: int, searches: int) -> None:
    sets = Sets(["one", "abcdefghij" * times, "two"])
    assert len(sets._searches) == searches
    assert list(sets.matching(b"two" + b"abcdefghij" * times + b"one")) == [0, 1, 2]


def test_two_matches_in_a_set_are_in_the_order_of_the_patterns() -> None:
    sets = Sets([f"a{number}b" for number in range(20)])
    assert len(sets._searches) == 1
    for first, second in combinations(range(20), 2):
        for data in (b"a%db a%db" % (first, second), b"a%db a%db" % (second, first)):
            assert list(sets.matching(data)) == [first, second]


def test_pattern_sets_search_no_pattern_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []

    def alone(_ordered: Sequence[str], position: int) -> Callable[[bytes], Sequence[int]]:
        def search(_data: bytes) -> Sequence[int]:
            searched.append(position)
            return [position]

        return search

    monkeypatch.setattr(pattern_sets, "_alone", alone)
    matching = iter(Sets([".*a.*b.*"] * 3).matching(b"ab"))
    assert (next(matching), searched) == (0, [0])
    assert (next(matching), searched) == (1, [0, 1])


@pytest.mark.parametrize("most", [0, 1, 5])
def test_pattern_set_that_does_not_compile_is_halved(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    many = patterns.many
    monkeypatch.setattr(
        patterns,
        "many",
        lambda some, *, anchored, memory: many(some, anchored=anchored, memory=memory) if len(some) <= most else None,
    )
    ordered = [f"a{number}" for number in range(20)]
    assert list(Sets(ordered).matching(b"a1 a7 a19")) == [1, 7, 19]


def test_pattern_set_out_of_memory_is_searched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """RE2 then answers as if nothing matched."""
    monkeypatch.setattr(
        patterns, "many", lambda _some, *, anchored, memory: lambda _data: None if anchored and memory else []
    )
    assert list(Sets(["^a", "^b", "^ab"]).matching(b"ab")) == [0, 2]


def test_pattern_set_has_at_most_4000_instructions() -> None:
    """They compile in 10 ms; each of these patterns has 307."""
    sets = Sets([f"^{'a' * 300}{number}" for number in range(14)])
    assert len(sets._searches) == 2
    assert list(sets.matching(b"a" * 300 + b"7")) == [7]


def test_pattern_set_limits_the_length_of_requests_it_searches() -> None:
    """2 ns for each instruction and byte, twice 2^29 of them at most: 2 s of CPU that nothing interrupts."""
    few, many = (Sets([f"^{'a' * 300}{number}" for number in range(count)]).longest for count in (2, 13))
    assert 600 * few < 2 << 29 < 700 * few
    assert 3900 * many < 2 << 29 < 4100 * many


def test_copies_of_a_pattern_set_share_the_memory_of_its_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    given, many = [], patterns.many

    def noted(some: Sequence[str], *, anchored: bool, memory: int) -> object:
        given.append(memory)
        return many(some, anchored=anchored, memory=memory)

    monkeypatch.setattr(patterns, "many", noted)
    with patterns.compiling(patterns.Compiler(memory=6000)):
        Sets([f"a{number}" for number in range(10)])
        Sets([f"a{number}" for number in range(10)], copies=3)
    assert given == [30_000, 10_000]


@given(ordered=st.lists(WHOLE, max_size=12), data=STREAMS)
def test_pattern_sets_without_memory_find_the_same(ordered: list[str], data: bytes) -> None:
    with patterns.compiling(patterns.Compiler(memory=0)):
        assert list(Sets(ordered).matching(data)) == one_by_one(ordered, data)


def test_pattern_sets_with_pattern_rejected_by_re2_raise_pattern_error() -> None:
    with pytest.raises(PatternError):
        Sets(["a", "("])


LOOSE = [
    ("^PING$", 0),
    ("^a?b{1}", 0),
    (r"^SET (\S+) (\d+)", 1),  # the last may go on where it need not
    (r"^SET (\S+) (\d+) x", 0),
    (r"^(\d+)$", 1),
    (r"^\d+\d", 1),
    (r"^\d+5?x", 1),
    (r"^\d+(5|x)", 1),
    (r"^(\d+|x)5", 1),
    (r"^(ab)+c", 1),
    (r"^[^x]*X", 1),  # with `(?i)` it would not be over
    (r"^\d{3}-", 0),
    ("PING", 1),
    ("a|b", 1),
    ("a+b", 2),
    (r"\d{3}", 2),
    (r"\d{20}", 3),
    (".*a.*b", 3),
    (r"(?is)^GET .*\r\nConnection: close\r\n", 1),
]


@pytest.mark.parametrize("pattern, loose", LOOSE)
def test_pattern_loose_ends_are_counted(pattern: str, loose: int) -> None:
    assert loose_ends(list(tokens(pattern))) == loose


def test_pattern_sets_yield_a_match_before_the_next_search(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []

    def alone(_ordered: Sequence[str], position: int) -> Callable[[bytes], Sequence[int]]:
        def search(_data: bytes) -> Sequence[int]:
            searched.append(position)
            return [position]

        return search

    monkeypatch.setattr(pattern_sets, "_alone", alone)
    matching = iter(Sets(["^a", ".*a.*b.*", "^ab"]).matching(b"ab"))
    assert (next(matching), searched) == (0, [])
    assert (list(matching), searched) == ([1, 2], [1])
