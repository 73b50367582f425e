"""`discard`: do nothing: the request is taken and not answered."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("discard")
class DiscardKind(StepKind):
    """Do nothing: the request is taken and not answered."""

    example = "do: [discard]"

    @override
    def compile(self, given: v1.Step.Discard, compiling: Compiling) -> steps.Step:
        return steps.discard()
