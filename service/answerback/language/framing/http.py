"""`http`: a request of HTTP/1.1 (RFC 9112)."""

from answerback.compat import override
from answerback.core import framing as core
from answerback.language.context import Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Framing.Http,
    Where.LISTENER,
    head_first=Field("framing: {http: {head_first: true}}"),
)


@FRAMINGS.kind("http")
class HttpKind(FramingKind):
    """A request of HTTP/1.1 (RFC 9112)."""

    runtime = core.Http
    fields = FIELDS
    example = "framing: http"

    @override
    def compile(self, given: v1.Framing.Http, compiling: Compiling) -> core.Framing:
        return core.Http(given.head_first)

    def describe(self, framing: core.Http) -> str:
        """Say whether heads and bodies are requests of their own."""
        return f"{self.name}, head first" if framing.head_first else self.name

    def waits_for(self, framing: core.Http, buffer: core.Buffer, missing: int) -> str | None:  # noqa: ARG002 - as it is
        """The end of the head, where the body's size is not known yet."""
        return None if missing > 0 else "the head has not ended with an empty line"
