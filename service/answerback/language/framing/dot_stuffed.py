"""`dot_stuffed`: a line that is a dot ends a request."""

from answerback.compat import override
from answerback.core.framing import Buffer, DotStuffed, Framing
from answerback.language.context import Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Framing.DotStuffed,
    Where.LISTENER,
    keep=Field("framing: {dot_stuffed: {keep: true}}"),
)


@FRAMINGS.kind("dot_stuffed")
class DotStuffedKind(FramingKind):
    """A line that is a dot ends a request."""

    runtime = DotStuffed
    fields = FIELDS
    example = "framing: dot_stuffed"

    @override
    def compile(self, given: v1.Framing.DotStuffed, compiling: Compiling) -> Framing:
        return DotStuffed(given.keep)

    def waits_for(self, framing: DotStuffed, buffer: Buffer, missing: int) -> str:  # noqa: ARG002 - one answer
        """Name the final line."""
        return 'the line "." has not arrived'
