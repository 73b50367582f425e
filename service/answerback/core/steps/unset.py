"""The step `unset`."""

from answerback.core.steps.base import DeleteShared, DeleteVariable, Key, Step


def unset_variable(name: str) -> Step:
    """Remove a variable of this connection, if it is there."""
    return DeleteVariable(name)


def delete_shared(key: Key) -> Step:
    """Remove a variable that all connections share, if it is there."""
    return lambda context: DeleteShared(key(context))
