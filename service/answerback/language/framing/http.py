"""`http`: a request of HTTP/1.1 (RFC 9112), head and body."""

from answerback.core import framing as core
from answerback.language.context import Compiling
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("http")
class HttpKind(FramingKind):
    """A request of HTTP/1.1 (RFC 9112), head and body."""

    runtime = core.Http
    example = "framing: http"

    def compile(self, given: v1.Framing.Http, compiling: Compiling) -> core.Framing:  # noqa: ARG002 - it has no fields
        """Make the framing."""
        return core.Http()

    def waits_for(self, framing: core.Http, buffer: core.Buffer, missing: int) -> str | None:  # noqa: ARG002 - as it is
        """The end of the head, where the body's size is not known yet."""
        return None if missing > 0 else "the head has not ended with an empty line"
