"""How far a pattern got in a request that it does not match."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.matching.pattern_progress import MAX_PATTERN, MAX_REQUEST, Progress, progress, shown
from answerback.core.matching.regexes import explain_regex
from tests.core.matching.test_mismatch import why


@pytest.mark.parametrize(
    "pattern, request_, expected",
    [
        (r"^SET (\S+) (\d+)$", b"SET key abc", Progress(r"^SET (\S+) ", r"(\d+)", 8, exact=False)),
        ("^GET [0-9]{2}x", b"GET 12y", Progress("^GET [0-9]{2}", "x", 6, exact=True)),
        ("ab?c+d", b"xxacce", Progress("ab?c+", "d", 5, exact=False)),
        ("(?i)^HELO (me|you)$", b"helo us", Progress("(?i)^HELO ", "(me|you)", 5, exact=True)),
        ("^abc$", b"abcd", Progress("^abc", "$", 3, exact=True)),
        (r"a\Qb.c\Ed", b"ab.cx", Progress(r"a\Qb.c\E", "d", 4, exact=True)),
        (r"^a\x00b", b"a\0c", Progress(r"^a\x00", "b", 2, exact=True)),
        ("^a(b(c|d)e)f", b"abcex", Progress("^a(b(c|d)e)", "f", 4, exact=True)),
        ("^é!", "é?".encode(), Progress("^é", "!", 2, exact=True)),
    ],
)
def test_longest_part_that_matches_is_found(pattern: str, request_: bytes, expected: Progress) -> None:
    assert progress(pattern, request_) == expected


@pytest.mark.parametrize(
    "pattern, request_",
    [
        ("^ECHO", b"PING"),  # not a byte of it
        ("abc|abd", b"abx"),  # alternatives
        ("^$", b"x"),
        ("", b""),
        ("a" * (MAX_PATTERN + 1), b"aa"),
        ("^ab", b"a" * (MAX_REQUEST + 1)),
    ],
)
def test_nothing_is_said_where_nothing_is_known(pattern: str, request_: bytes) -> None:
    assert progress(pattern, request_) is None


@pytest.fixture
def _shown() -> Iterator[None]:
    with shown():
        yield


@pytest.mark.usefixtures("_shown")
def test_explanation_says_where_the_next_part_should_follow() -> None:
    assert (
        why(explain_regex("^GET [0-9]{2}x"), b"GET 12y")
        == 'nothing in it matches ^GET [0-9]{2}x: ^GET [0-9]{2} does up to byte 6, where x should follow, not "y"'
    )
    assert why(explain_regex("^GET x"), b"GET ") == (
        "nothing in it matches ^GET x: ^GET  does up to byte 4, where x should follow, not the end"
    )


def test_worker_does_not_search_for_parts() -> None:
    assert why(explain_regex("^GET x"), b"GET ") == "nothing in it matches ^GET x"


@pytest.mark.parametrize("pattern, at", [("^GET [0-9]{2}x", 6), ("^GET .*x", None), ("^POST", None)])
@pytest.mark.usefixtures("_shown")
def test_only_a_part_of_one_length_counts_for_the_nearest_rule(pattern: str, at: int | None) -> None:
    mismatch = explain_regex(pattern)(b"GET 12y", None)  # type: ignore[arg-type]
    assert mismatch is not None
    assert mismatch.at == at


@given(st.text("abc.*+?()[]{}|\\^$12,iQE:", max_size=20), st.binary(max_size=20))
def test_any_pattern_has_parts_that_match_and_do_not(pattern: str, request: bytes) -> None:
    found = progress(pattern, request)
    if found is not None:
        assert 0 < found.at <= len(request)
        assert pattern.startswith(found.matched + found.following)
        assert found.following


@given(st.text("abc", min_size=1, max_size=9), st.text("abc", max_size=9))
def test_progress_of_a_literal_is_the_common_prefix(literal: str, request: str) -> None:
    common = next((n for n in range(len(literal), -1, -1) if request.startswith(literal[:n])), 0)
    found = progress(f"^{literal}", request.encode())
    if common in (0, len(literal)):
        assert found is None or common == len(literal)
    else:
        assert found is not None
        assert (found.at, found.matched) == (common, f"^{re.escape(literal[:common])}")
