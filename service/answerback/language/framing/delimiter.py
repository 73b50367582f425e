"""`delimiter`: chosen bytes end a request."""

from answerback.compat import override
from answerback.core.escapes import quote
from answerback.core.framing import Buffer, Delimiter, Framing
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Framing.Delimiter,
    Where.LISTENER,
    end=Field("framing: {delimiter: {end: {hex: 03}}}", words="bytes, at least one"),
    keep=Field('framing: {delimiter: {end: ";", keep: true}}'),
)


@FRAMINGS.kind("delimiter")
class DelimiterKind(FramingKind):
    """Chosen bytes end a request."""

    runtime = Delimiter
    fields = FIELDS
    example = r'framing: {delimiter: "\0"}'

    def check(self, given: v1.Framing.Delimiter, path: str, checking: Checking) -> None:
        """At least one byte."""
        if given.HasField("end"):
            checking.not_empty(given.end, f"{path}.end")

    @override
    def compile(self, given: v1.Framing.Delimiter, compiling: Compiling) -> Framing:
        return Delimiter(compiling.literal(given.end), given.keep)

    def describe(self, framing: Delimiter) -> str:
        """With its bytes."""
        return f"delimiter {quote(framing.end)}"

    def waits_for(self, framing: Delimiter, buffer: Buffer, missing: int) -> str:  # noqa: ARG002 - one answer
        """Its end."""
        return f"{quote(framing.end)} has not arrived"
