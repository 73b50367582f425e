"""Common parts of requests: comments, durations and pages (AIP-158)."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from answerback.control.errors import BadArgument, CommentTooLong
from answerback.language import bounds, durations
from answerback.language.problems import Problems

# Rule: a page token is the last key of the page before, so that it stays valid when items are added or removed.

D = TypeVar("D")
T = TypeVar("T")

COMMENT_LENGTH: Final = 1024  # characters, as the .proto files promise
PAGE: Final = 100  # default number of items
MOST: Final = 1000  # max. number of items


def seconds(request: Any, field: str, default: D) -> float | D:
    """Return a duration of a request, 0 to 1 h. Raises BadArgument."""
    if not request.HasField(field):
        return default
    problems = Problems()
    given = getattr(request, field)
    bounds.duration(given, bounds.MAX_DELAY, field, problems)
    for problem in problems.found():
        raise BadArgument(problem.path, problem.message)
    return durations.seconds(given)


def check_comment(comment: str) -> None:
    """Raises CommentTooLong."""
    if len(comment) > COMMENT_LENGTH:
        raise CommentTooLong(f"{len(comment)} characters, at most {COMMENT_LENGTH} are kept")


def page_size(asked: int) -> int:
    """Return the max. number of items of a page. Raises BadArgument."""
    if asked < 0:
        raise BadArgument("page_size", f"must be 0 or more, not {asked}")
    return min(asked, MOST) or PAGE


def page(items: Iterable[T], key: Callable[[T], str], size: int, token: str) -> tuple[list[T], str]:
    """Return the page after a token, and the token of the next page, empty for the last one.

    Raises BadArgument.
    """
    most = page_size(size)
    before = _decoded(token)
    behind = sorted((item for item in items if key(item) > before), key=key)
    taken = behind[:most]
    more = len(taken) < len(behind)
    return taken, urlsafe_b64encode(key(taken[-1]).encode()).decode() if more else ""


def _decoded(token: str) -> str:
    try:
        return b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise BadArgument("page_token", "not a token of this server; start again without one") from None
