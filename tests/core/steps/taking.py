"""Takes a step without a session."""

from typing import cast

from answerback.core.context import RequestContext
from answerback.core.steps import Step, StepResult


class Said:
    """What a step looks at."""

    request = b"said"
    state = ""

    def __init__(self) -> None:
        self.variables: dict[str, bytes] = {}


def taken(step: Step) -> StepResult:
    """Return the result of a step for the request `said`."""
    return step(cast(RequestContext, Said())) if callable(step) else step
