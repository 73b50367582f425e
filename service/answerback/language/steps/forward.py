"""`forward`: pass the request on to the upstream, or its reply on to the client."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("forward")
class ForwardKind(StepKind):
    """Pass the request on to the upstream, as it was received."""

    words = "only on a listener with an `upstream`, in rules on `REQUEST` and `REPLY`; once in a script"
    example = "do: [delay: 100ms, forward]"
    forwards = True

    @override
    def compile(self, given: v1.Step.Forward, compiling: Compiling) -> steps.Step:
        return steps.pass_reply() if compiling.scope.of_reply else steps.forward(waits=not compiling.is_last)
