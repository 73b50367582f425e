"""`hang`: say nothing more, and do not close."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Step.Hang,
    Where.RULE,
    ignore_fin=Field("do: [hang: {ignore_fin: true}]"),
)


@STEPS.kind("hang")
class HangStepKind(StepKind):
    """Say nothing more, and do not close."""

    fields = FIELDS
    example = "do: [hang]"
    ends = "sends nothing more"

    @override
    def compile(self, given: v1.Step.Hang, compiling: Compiling) -> steps.Step:
        return steps.hang(ignore_fin=given.ignore_fin)

    def behind_fin(self, given: v1.Step.Hang) -> str:
        """It ends with the peer's FIN."""
        if given.ignore_fin:
            return ""
        return "closes at once: the peer has closed its half already, unless ignore_fin is true"
