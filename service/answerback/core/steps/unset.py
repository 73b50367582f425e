"""The step `unset`."""

from answerback.core.expressions import Value
from answerback.core.steps.base import DeleteShared, DeleteVariable, Step


def unset_variable(name: str) -> Step:
    """Remove a variable of this connection, if it is there."""
    return DeleteVariable(name)


def delete_shared(key: Value) -> Step:
    """Remove a variable that all connections share, if it is there."""
    if isinstance(key.constant, bytes):
        return DeleteShared(key.constant)
    key_of = key.of
    return lambda context: DeleteShared(key_of(context))
