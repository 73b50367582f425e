"""The step `framing`."""

from answerback.core.context import RequestContext
from answerback.core.expressions import EvaluationError
from answerback.core.framing import Fixed, Framing
from answerback.core.steps.base import END_AS_MALFORMED, SetFraming, Size, Step, StepResult


def set_framing(framing: Framing) -> Step:
    """Use another framing for what follows this request."""
    return SetFraming(framing)


def set_framing_of_size(size: Size) -> Step:
    """Use this many bytes as the next request, then return to the framing before."""

    def set_once(context: RequestContext) -> StepResult:
        try:
            number = size(context)
        except EvaluationError:
            return END_AS_MALFORMED
        if number < 0:
            return END_AS_MALFORMED
        return SetFraming(Fixed(number) if number else None, once=True)

    return set_once
