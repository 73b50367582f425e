"""`length_prefix`: a number in the request says how long it is."""

from typing import Final

from answerback.core import framing as core
from answerback.language import bounds
from answerback.language.context import Compiling
from answerback.language.fields import Field, Number, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

MAX_OFFSET: Final = 65535  # of a length: protocols have it within their first bytes


FIELDS = describe(
    v1.Framing.LengthPrefix,
    Where.LISTENER,
    offset=Number(
        "framing: {length_prefix: {offset: 1, width: 4, adjust: -4}}",
        default="`0` bytes",
        most=MAX_OFFSET,
        unit="bytes",
    ),
    width=Number("framing: {length_prefix: {width: 2}}", least=1, most=8, unit="bytes"),
    little_endian=Field("framing: {length_prefix: {width: 4, little_endian: true}}"),
    adjust=Number(
        "framing: {length_prefix: {width: 4, adjust: -4}}",
        default="`0` bytes",
        least=-bounds.MAX_REQUEST_BYTES,
        most=bounds.MAX_REQUEST_BYTES,
        unit="bytes",
    ),
    strip=Field("framing: {length_prefix: {width: 2, strip: true}}"),
)


@FRAMINGS.kind("length_prefix")
class LengthPrefixKind(FramingKind):
    """A number in the request says how long it is."""

    runtime = core.LengthPrefix
    fields = FIELDS
    example = "framing: {length_prefix: {offset: 4, width: 2}}"

    def compile(self, given: v1.Framing.LengthPrefix, compiling: Compiling) -> core.Framing:  # noqa: ARG002 - no bytes
        """Make the framing."""
        return core.LengthPrefix(given.offset, given.width, given.little_endian, given.adjust, given.strip)

    def waits_for(self, framing: core.LengthPrefix, buffer: core.Buffer, missing: int) -> str | None:  # noqa: ARG002
        """The head that is taken off is needed too."""
        if not framing.strip:
            return None
        missing += framing.offset + framing.width
        return f"at least {missing} more byte{'s' * (missing > 1)}" if missing > 0 else None
