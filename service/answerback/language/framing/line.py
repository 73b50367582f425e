"""`line`: LF ends a request, CRLF too."""

from answerback.core import framing as core
from answerback.language.context import Compiling
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("line")
class LineKind(FramingKind):
    """LF ends a request, CRLF too."""

    runtime = core.Line
    example = "{line: {keep_ending: true}}"

    def compile(self, given: v1.Framing.Line, compiling: Compiling) -> core.Framing:  # noqa: ARG002 - it has no bytes
        """Make the framing."""
        return core.Line(given.keep_ending)

    def waits_for(self, framing: core.Line, buffer: core.Buffer, missing: int) -> str:  # noqa: ARG002 - always the same
        """Its end."""
        return "a line ends with LF"
