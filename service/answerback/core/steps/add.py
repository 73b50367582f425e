"""The step `add`."""

from answerback.core.expressions import Value
from answerback.core.steps.base import AddShared, Step


def add_shared(key: Value, by: Value, variable: str) -> Step:
    """Add to a number that all connections share; its sum is stored in `variable`, unless that is empty."""
    if isinstance(key.constant, bytes) and isinstance(by.constant, int):
        return AddShared(key.constant, by.constant, variable)
    key_of, by_of = key.of, by.of
    return lambda context: AddShared(key_of(context), by_of(context), variable)
