"""`respond`: send an HTTP response."""

import re
from typing import Final

from answerback.compat import override
from answerback.core import steps
from answerback.core.escapes import quote
from answerback.core.steps.respond import FINAL, Response, close_if_asked, has_body, respond
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Number, Where, describe
from answerback.language.framing.http import PROVIDES
from answerback.language.problems import quoted
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1

MAX_HEADERS: Final = 100
NOT_IN_A_VALUE: Final = re.compile(rb"[\r\n\0]")
NOT_HTTP: Final = (
    "answers an HTTP request, but neither the listener's framing nor a `framing` step of its rules is http: write "
    "framing: http at the listener, or use send"
)
TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 9110, 5.6.2

FIELDS = describe(
    v1.Step.Respond,
    Where.RULE,
    status=Number("do: [respond: 404]", least=100, most=999),
    headers=Field(
        "do: [respond: {status: 302, headers: [{name: Location, value: /new}]}]",
        default="none",
        words=f"at most {MAX_HEADERS}",
    ),
    body=Field(
        "do: [respond: {status: 200, body: hello}]",
        default="empty",
        words="at most 16 MiB; not with the status 1xx, 204 or 304",
    ),
)
HEADER = describe(
    v1.Step.Respond.Header,
    Where.RULE,
    name=Field(
        "do: [respond: {status: 200, headers: [{name: X-Request, value: {template: '${request_number}'}}]}]",
        words="letters, digits and ``!#$%&'*+-.^_`|~``, at most 128 characters",
    ),
    value=Field(
        "do: [respond: {status: 429, headers: [{name: Retry-After, value: '1'}]}]",
        words="without CR, LF and NUL; those that a template makes become spaces",
    ),
)


@STEPS.kind("respond")
class RespondKind(StepKind):
    """Send an HTTP response."""

    fields = FIELDS
    words = "only with the framing `http`, of the listener or by a step `framing`"
    example = "do: [respond: {status: 200, headers: [{name: Content-Type, value: text/plain}], body: hello}]"
    sends = True
    not_for_replies = "it answers a request; use send"

    def check(self, given: v1.Step.Respond, path: str, checking: Checking) -> None:
        """Check the framings, the status, the headers, and that the status allows the body."""
        if PROVIDES[0].name not in checking.scope.fields and not checking.scope.of_reply:
            checking.add(path, NOT_HTTP)
        FIELDS.check(given, path, checking)
        if len(given.headers) > MAX_HEADERS:
            checking.add(f"{path}.headers", f"{len(given.headers)} headers; at most {MAX_HEADERS} are possible")
        for index, header in enumerate(given.headers[:MAX_HEADERS]):
            _check_header(header, f"{path}.headers[{index}]", checking)
        if given.HasField("body"):
            checking.content(given.body, f"{path}.body")
            if given.HasField("status") and not has_body(given.status):
                checking.add(f"{path}.body", f"a response with the status {given.status} has no body")

    @override
    def compile(self, given: v1.Step.Respond, compiling: Compiling) -> steps.Step:
        return respond(
            Response(
                given.status,
                tuple((header.name.encode(), compiling.content(header.value)) for header in given.headers),
                compiling.shared(given.body) if given.HasField("body") else b"",
                compiling.closes,
            )
        )

    def epilogue(self, given: v1.Step.Respond) -> steps.Step | None:
        """Close behind a final response if the client asked for it."""
        return close_if_asked if given.status >= FINAL else None


def _check_header(header: v1.Step.Respond.Header, path: str, checking: Checking) -> None:
    if header.name and not TOKEN.fullmatch(header.name):
        checking.add(
            f"{path}.name", f"letters, digits and !#$%&'*+-.^_`|~, at most 128 characters, not {quoted(header.name)}"
        )
    value = checking.content(header.value, f"{path}.value") if header.HasField("value") else None
    if value is not None and NOT_IN_A_VALUE.search(value):
        checking.add(f"{path}.value", f"must not contain CR, LF or NUL, but it is {quote(bytes(value))}")
