"""`until_eof`: all until the peer closes its half is one request."""

from answerback.compat import override
from answerback.core.framing import Buffer, Framing, UntilEof
from answerback.language.context import Compiling
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("until_eof")
class UntilEofKind(FramingKind):
    """All until the peer closes its half is one request."""

    runtime = UntilEof
    example = "framing: until_eof"

    @override
    def compile(self, given: v1.Framing.UntilEof, compiling: Compiling) -> Framing:
        return UntilEof()

    def waits_for(self, framing: UntilEof, buffer: Buffer, missing: int) -> str:  # noqa: ARG002 - one answer
        """The end of the stream."""
        return "the request ends when the peer closes its half"
