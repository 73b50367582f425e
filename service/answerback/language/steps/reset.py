"""`reset`: reset the connection."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("reset")
class ResetKind(StepKind):
    """Reset the connection."""

    example = "do: [reset]"
    stands_alone = True
    ends = "ends the connection"
    on_unix = "a Unix socket has no RST: the peer reads EOF, as after a close"

    @override
    def compile(self, given: v1.Step.Reset, compiling: Compiling) -> steps.Step:
        return steps.reset()
