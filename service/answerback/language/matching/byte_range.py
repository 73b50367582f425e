"""`bytes`: the request has these bytes at this place."""

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.byte_ranges import explain_byte_range
from answerback.language import bounds
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Number, Where, describe
from answerback.language.matching.base import MATCHES, MatchKind
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Match.Slice,
    Where.RULE,
    offset=Number(
        "when: {bytes: {offset: 2, equals: {hex: 00 01}}}",
        default="`0` bytes",
        most=bounds.MAX_REQUEST_BYTES,
        unit="bytes",
    ),
    equals=Field("when: {bytes: {equals: {hex: 16 03}}}", words="at least one byte"),
    mask=Field(
        "when: {bytes: {equals: {hex: 80}, mask: {hex: 80}}}",
        default="every bit",
        words="as many bytes as `equals`",
    ),
)


@MATCHES.kind("bytes")
class BytesKind(MatchKind):
    """The request has these bytes at this place."""

    fields = FIELDS
    example = "when: {bytes: {offset: 7, equals: {hex: 03}}}"

    def check(self, given: v1.Match.Slice, path: str, checking: Checking) -> None:
        """A place within a request, at least one byte, and a mask that is as long as what it masks."""
        FIELDS.check(given, path, checking)
        equals = checking.not_empty(given.equals, f"{path}.equals") if given.HasField("equals") else None
        mask = checking.content(given.mask, f"{path}.mask") if given.HasField("mask") else None
        if equals is not None and mask is not None and len(equals) != len(mask):
            checking.add(f"{path}.mask", f"{len(mask)} bytes, for {len(equals)} that are compared")

    @override
    def compile(self, given: v1.Match.Slice, compiling: Compiling) -> matching.Matcher:
        return matching.byte_range(*self._parts(given, compiling))

    def explain(self, given: v1.Match.Slice, compiling: Compiling) -> matching.Explainer:
        """Name the first byte that differs."""
        return explain_byte_range(*self._parts(given, compiling))

    def _parts(self, given: v1.Match.Slice, compiling: Compiling) -> tuple[int, bytes, bytes | None]:
        mask = compiling.literal(given.mask) if given.HasField("mask") else None
        return given.offset, compiling.literal(given.equals), mask
