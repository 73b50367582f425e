"""Comments, and pages."""

import pytest

from answerback.control.errors import BadArgument, CommentTooLong
from answerback.control.requests import COMMENT_LENGTH, MOST, PAGE, check_comment, page

NAMES = [f"{number:04}" for number in range(2000)]


def pages(size: int) -> list[list[str]]:
    found, token = [], ""
    while True:
        taken, token = page(NAMES, str, size, token)
        found.append(taken)
        if not token:
            return found


@pytest.mark.parametrize("size", [1, 7, MOST])
def test_pages_are_everything_once_in_order(size: int) -> None:
    found = pages(size)
    assert [name for taken in found for name in taken] == NAMES
    assert {len(taken) for taken in found[:-1]} <= {size}


def test_a_page_has_its_size_unless_told_and_is_never_too_large() -> None:
    assert len(page(NAMES, str, 0, "")[0]) == PAGE
    assert len(page(NAMES, str, MOST + 1, "")[0]) == MOST


def test_last_page_has_no_next_token_even_if_full() -> None:
    assert page(["a", "b"], str, 2, "") == (["a", "b"], "")
    assert page([], str, 2, "") == ([], "")


def test_a_token_holds_although_things_come_and_go() -> None:
    first, token = page(["a", "b", "c"], str, 2, "")
    assert first == ["a", "b"]
    assert page(["c", "aa", "bb"], str, 2, token) == (["bb", "c"], "")


@pytest.mark.parametrize("token", ["!", "a", "_w==", "\N{SNOWMAN}"])
def test_a_token_of_another_make_is_refused(token: str) -> None:
    with pytest.raises(BadArgument, match="page_token: not a token of this server"):
        page(NAMES, str, 0, token)


def test_a_size_below_nothing_is_refused() -> None:
    with pytest.raises(BadArgument, match="page_size: must be 0 or more, not -1"):
        page(NAMES, str, -1, "")


def test_comment_past_1024_characters_is_rejected() -> None:
    check_comment("x" * COMMENT_LENGTH)
    with pytest.raises(CommentTooLong, match="1025 characters, at most 1024 are kept"):
        check_comment("x" * (COMMENT_LENGTH + 1))
