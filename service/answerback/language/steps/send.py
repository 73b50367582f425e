"""`send`: send bytes."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("send")
class SendKind(StepKind):
    """Send bytes."""

    words = "at most 16 MiB"
    example = r'do: [send: "220 ready\r\n"]'
    stands_alone = True
    sends = True

    @override
    def check(self, given: v1.Payload, path: str, checking: Checking) -> None:
        checking.content(given, path)

    @override
    def compile(self, given: v1.Payload, compiling: Compiling) -> steps.Step:
        return steps.send(compiling.shared(given))
