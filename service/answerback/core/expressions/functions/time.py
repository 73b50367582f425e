"""The time of day."""

from collections.abc import Callable

from answerback.core.context import RequestContext
from answerback.core.expressions.clock import strftime


def formatting(form: str) -> Callable[[RequestContext], bytes]:
    """Return the function that writes the current time in a format. Raises UnknownDirective."""
    write = strftime(form)
    return lambda context: write(context.wall_clock())


def unix(context: RequestContext) -> int:
    """Seconds since 1970."""
    return int(context.wall_clock().timestamp())
