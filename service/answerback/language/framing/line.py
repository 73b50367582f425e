"""`line`: LF ends a request, CRLF too."""

from answerback.compat import override
from answerback.core.framing import Buffer, Framing, Line
from answerback.language.context import Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Framing.Line,
    Where.LISTENER,
    keep_ending=Field("framing: {line: {keep_ending: true}}"),
)


@FRAMINGS.kind("line")
class LineKind(FramingKind):
    """LF ends a request, CRLF too."""

    runtime = Line
    fields = FIELDS
    example = "framing: line"

    @override
    def compile(self, given: v1.Framing.Line, compiling: Compiling) -> Framing:
        return Line(given.keep_ending)

    def waits_for(self, framing: Line, buffer: Buffer, missing: int) -> str:  # noqa: ARG002 - always the same
        """Its end."""
        return "the line has not ended with LF"
