"""`echo`: send the request as rules see it."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("echo")
class EchoKind(StepKind):
    """Send the request as rules see it."""

    example = "do: [echo]"
    sends = True
    needs_request = True

    @override
    def compile(self, given: v1.Step.Echo, compiling: Compiling) -> steps.Step:
        return steps.echo()
