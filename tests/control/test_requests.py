"""Comments and page tokens of requests."""

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
def test_pages_contain_each_item_once_in_order(size: int) -> None:
    found = pages(size)
    assert [name for taken in found for name in taken] == NAMES
    assert {len(taken) for taken in found[:-1]} <= {size}


def test_page_size_has_a_default_and_a_maximum() -> None:
    assert len(page(NAMES, str, 0, "")[0]) == PAGE
    assert len(page(NAMES, str, MOST + 1, "")[0]) == MOST


def test_last_page_has_no_next_token_even_if_full() -> None:
    assert page(["a", "b"], str, 2, "") == (["a", "b"], "")
    assert page([], str, 2, "") == ([], "")


def test_page_token_stays_valid_while_items_change() -> None:
    first, token = page(["a", "b", "c"], str, 2, "")
    assert first == ["a", "b"]
    assert page(["c", "aa", "bb"], str, 2, token) == (["bb", "c"], "")


@pytest.mark.parametrize("token", ["!", "a", "_w==", "\N{SNOWMAN}"])
def test_foreign_page_token_is_rejected(token: str) -> None:
    with pytest.raises(BadArgument, match="page_token: not a token of this server"):
        page(NAMES, str, 0, token)


def test_negative_page_size_is_rejected() -> None:
    with pytest.raises(BadArgument, match="page_size: must be 0 or more, not -1"):
        page(NAMES, str, -1, "")


def test_comment_past_1024_characters_is_rejected() -> None:
    check_comment("x" * COMMENT_LENGTH)
    with pytest.raises(CommentTooLong, match="1025 characters, at most 1024 are kept"):
        check_comment("x" * (COMMENT_LENGTH + 1))
