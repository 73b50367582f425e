"""`http`: a request of HTTP/1.1 (RFC 9112)."""

from typing import Final

from answerback.compat import override
from answerback.core.expressions import Type
from answerback.core.framing import Buffer, Framing, Http, HttpReplies, fields
from answerback.language.context import Compiling
from answerback.language.expressions import FramingField
from answerback.language.fields import Field, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Framing.Http,
    Where.LISTENER,
    head_first=Field("framing: {http: {head_first: true}}"),
)

PROVIDES: Final = (
    FramingField("http.method", Type.BYTES, fields.http_method, "the method", "http.method", "POST"),
    FramingField(
        "http.target", Type.BYTES, fields.http_target, "the target, as it was sent", "http.target", "/a/b?x=1"
    ),
    FramingField(
        "http.path", Type.BYTES, fields.http_path, "the target without scheme, host and query", "http.path", "/a/b"
    ),
    FramingField("http.query", Type.BYTES, fields.http_query, "the target behind its `?`", "http.query", "x=1"),
    FramingField("http.version", Type.BYTES, fields.http_version, "the version", "http.version", "HTTP/1.1"),
    FramingField(
        "http.header",
        Type.BYTES,
        fields.http_header,
        "the value of a header field, whatever the case of its name; if the field is repeated, the first 64 values "
        "joined with `, `; empty if there is none",
        "http.header('X-TAG')",
        "a, b",
        (Type.BYTES,),
        weight=32,
    ),
    FramingField(
        "http.body",
        Type.BYTES,
        fields.http_body,
        "the body, decoded if it was sent in chunks, at most 20,000 of them",
        "http.body",
        "hello",
        weight=64,
    ),
)


@FRAMINGS.kind("http")
class HttpKind(FramingKind):
    """A request of HTTP/1.1 (RFC 9112)."""

    runtime = Http
    fields = FIELDS
    example = "framing: http"
    provides = PROVIDES
    replies_runtime = HttpReplies
    sample = (
        b"POST /a/b?x=1 HTTP/1.1\r\nHost: it\r\nX-Tag: a\r\nx-tag: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n"
    )

    @override
    def compile(self, given: v1.Framing.Http, compiling: Compiling) -> Framing:
        return Http(given.head_first)

    @override
    def not_for_replies(self, given: v1.Framing.Http) -> str:
        return "a response is one reply; remove head_first" if given.head_first else ""

    @override
    def compile_for_replies(self, given: v1.Framing.Http, compiling: Compiling) -> Framing:
        return HttpReplies()

    def describe(self, framing: Http | HttpReplies) -> str:
        """Say whether heads and bodies are requests of their own."""
        return f"{self.name}, head first" if isinstance(framing, Http) and framing.head_first else self.name

    def waits_for(self, framing: Http, buffer: Buffer, missing: int) -> str | None:  # noqa: ARG002 - as it is
        """The end of the head, where the body's size is not known yet."""
        return None if missing > 0 else "the head has not ended with an empty line"
