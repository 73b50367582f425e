"""`framing`: cut what follows this request under another framing."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.expressions import Type
from answerback.language.framing import check_framing, compile_framing
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("framing")
class FramingStepKind(StepKind):
    """Cut what follows this request under another framing."""

    not_for_replies = "it would be that of the client's requests, which may have come already"
    example = r'do: [framing: {delimiter: "\r\n.\r\n"}]'

    @override
    def check(self, given: v1.Framing, path: str, checking: Checking) -> None:
        check_framing(given, path, checking)

    def compile(self, given: v1.Framing, compiling: Compiling) -> steps.Step:
        """Make the step; a size may be settled when it runs."""
        if given.fixed.WhichOneof("bytes") == "size_from":
            return steps.set_framing_of_size(compiling.expression(given.fixed.size_from, Type.INT).of)
        return steps.set_framing(compile_framing(given, compiling))
