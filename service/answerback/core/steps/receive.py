"""The step `receive`."""

from answerback.core.context import RequestContext
from answerback.core.expectation import Expectation
from answerback.core.expressions import EvaluationError
from answerback.core.framing import Fixed, Framing
from answerback.core.steps.base import END_AS_MALFORMED, Chunks, Receive, SetVariable, Size, Step, StepResult


def receive(framing: Framing, variable: str, expect: Expectation | None = None) -> Step:
    """Read one frame, under its own framing, into a variable."""
    return Receive(framing, variable, expect)


def receive_of_size(size: Size, variable: str, expect: Expectation | None = None) -> Step:
    """Read this many bytes into a variable."""

    def receive_bytes(context: RequestContext) -> StepResult:
        try:
            number = size(context)
        except EvaluationError:
            return END_AS_MALFORMED
        if number < 0:
            return END_AS_MALFORMED
        if number:
            return Receive(Fixed(number), variable, expect)
        store = SetVariable(variable, b"") if variable else None
        return store if expect is None else receive_nothing(store, expect, context)

    def receive_nothing(store: SetVariable | None, expect: Expectation, context: RequestContext) -> Chunks:
        yield store
        yield from expect.compare(b"", context)

    return receive_bytes
