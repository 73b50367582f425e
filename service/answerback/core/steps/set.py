"""The step `set`."""

from answerback.core.expressions import Template
from answerback.core.steps.base import Key, PutShared, SetVariable, Step


def set_variable(name: str, value: bytes | Template) -> Step:
    """Store bytes under a name, for expressions of this connection."""
    if isinstance(value, bytes):
        return SetVariable(name, value)
    render = value.render
    return lambda context: SetVariable(name, render(context))


def put_shared(key: Key, value: bytes | Template) -> Step:
    """Store bytes in a variable that all connections share."""
    if isinstance(value, bytes):
        return lambda context: PutShared(key(context), value)
    render = value.render
    return lambda context: PutShared(key(context), render(context))
