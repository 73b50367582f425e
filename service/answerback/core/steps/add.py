"""The step `add`."""

from collections.abc import Callable

from answerback.core.context import RequestContext
from answerback.core.steps.base import AddShared, Key, Step


def add_shared(key: Key, by: Callable[[RequestContext], int], variable: str) -> Step:
    """Add to a number that all connections share; its sum is stored in `variable`, unless that is empty."""
    return lambda context: AddShared(key(context), by(context), variable)
