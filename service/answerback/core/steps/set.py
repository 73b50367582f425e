"""The step `set`."""

from answerback.core.expressions import Template, Value
from answerback.core.steps.base import PutShared, SetVariable, Step


def set_variable(name: str, value: bytes | Template) -> Step:
    """Store bytes under a name, for expressions of this connection."""
    if isinstance(value, bytes):
        return SetVariable(name, value)
    render = value.render
    return lambda context: SetVariable(name, render(context))


def put_shared(key: Value, value: bytes | Template) -> Step:
    """Store bytes in a variable that all connections share."""
    key_of = key.of
    if isinstance(value, Template):
        render = value.render
        return lambda context: PutShared(key_of(context), render(context))
    if isinstance(key.constant, bytes):
        return PutShared(key.constant, value)
    return lambda context: PutShared(key_of(context), value)
