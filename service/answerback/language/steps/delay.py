"""`delay`: wait before the next step."""

from answerback.core import steps
from answerback.core.delays import Fixed
from answerback.language.context import Checking, Compiling
from answerback.language.delays import check_delay, compile_delay
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("delay")
class DelayStepKind(StepKind):
    """Wait before the next step."""

    example = "do: [delay: 1.5s]"

    def check(self, given: v1.Delay, path: str, checking: Checking) -> None:
        """Check the delay."""
        check_delay(given, path, checking)

    def compile(self, given: v1.Delay, compiling: Compiling) -> steps.Step:  # noqa: ARG002 - it has no bytes
        """Make the step."""
        delay = compile_delay(given)
        return steps.delay_fixed(delay.seconds) if isinstance(delay, Fixed) else steps.delay_drawn(delay)
