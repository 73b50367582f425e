"""`start_tls`: begin TLS."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("start_tls")
class StartTlsStepKind(StepKind):
    """Begin TLS."""

    not_for_replies = "use it in the rule that forwards, behind forward"
    words = "only on a listener with `tls: {start: ON_STEP}`"
    example = 'do: [send: "220 go ahead\\r\\n", start_tls]'

    @override
    def compile(self, given: v1.Step.StartTls, compiling: Compiling) -> steps.Step:
        return steps.start_tls()
