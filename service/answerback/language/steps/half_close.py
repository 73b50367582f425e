"""`half_close`: send FIN, and go on reading."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("half_close")
class HalfCloseKind(StepKind):
    """Send FIN, and go on reading."""

    example = r'do: [send: "last words\n", half_close]'
    half_closes = True
    closes = True

    @override
    def compile(self, given: v1.Step.HalfClose, compiling: Compiling) -> steps.Step:
        return steps.half_close()
