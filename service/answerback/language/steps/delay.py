"""`delay`: wait before the next step."""

from answerback.compat import override
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

    @override
    def check(self, given: v1.Delay, path: str, checking: Checking) -> None:
        check_delay(given, path, checking)

    @override
    def compile(self, given: v1.Delay, compiling: Compiling) -> steps.Step:
        delay = compile_delay(given)
        return steps.delay_fixed(delay.seconds) if isinstance(delay, Fixed) else steps.delay_drawn(delay)
