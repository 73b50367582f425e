"""Steps that change variables, those of the connection and the shared ones."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from answerback.core.actions import Action
from answerback.core.context import RequestContext
from answerback.core.expressions import EvaluationError
from answerback.core.steps import (
    AddShared,
    DeleteShared,
    DeleteVariable,
    PutShared,
    SetVariable,
    StepResult,
    failed,
)

if TYPE_CHECKING:
    from answerback.core.session.session import Session

Write = Callable[["Session", RequestContext, Any], None]


def carry_out(
    session: "Session", context: RequestContext, write: Write, result: StepResult, actions: list[Action]
) -> bool:
    """Change a variable; the connection is closed if a shared one cannot be changed."""
    try:
        write(session, context, result)
    except EvaluationError as problem:
        actions += session.close(failed(problem).reason)
        return False
    return True


def set_variable(session: "Session", context: RequestContext, name: str, value: bytes) -> None:
    """Store bytes in a variable of the connection."""
    variables = context.variables
    if session.observer is not None and variables.get(name) != value:
        session.observer.variable_set(name, value)
    variables[name] = value


def _set(session: "Session", context: RequestContext, write: SetVariable) -> None:
    set_variable(session, context, write.name, write.value)


def _unset(_session: "Session", context: RequestContext, write: DeleteVariable) -> None:
    context.variables.pop(write.name, None)


def _put(_session: "Session", context: RequestContext, write: PutShared) -> None:
    context.shared.put(write.key, write.value)


def _delete(_session: "Session", context: RequestContext, write: DeleteShared) -> None:
    context.shared.delete(write.key)


def _add(session: "Session", context: RequestContext, write: AddShared) -> None:
    total = context.shared.add(write.key, write.by)
    if write.variable:
        set_variable(session, context, write.variable, total)


WRITES: Final[Mapping[type, Write]] = {
    SetVariable: _set,
    DeleteVariable: _unset,
    PutShared: _put,
    DeleteShared: _delete,
    AddShared: _add,
}
