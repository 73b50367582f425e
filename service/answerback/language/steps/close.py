"""`close`: close in order."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("close")
class CloseKind(StepKind):
    """Close in order."""

    example = "do: [close]"
    stands_alone = True
    closes = True
    ends = "ends the connection"

    @override
    def compile(self, given: v1.Step.Close, compiling: Compiling) -> steps.Step:
        return steps.close()
