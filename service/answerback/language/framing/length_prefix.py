"""`length_prefix`: a request contains its length."""

from collections.abc import Mapping
from typing import Final

from answerback.compat import override
from answerback.core.escapes import quote
from answerback.core.expressions import Type
from answerback.core.framing import Buffer, Encoding, Framing, LengthPrefix
from answerback.core.framing.fields import frame_body, frame_head
from answerback.core.framing.lengths import MAX_BINARY_BYTES, MAX_DIGITS, is_ending
from answerback.language import bounds
from answerback.language.context import Checking, Compiling
from answerback.language.expressions import FramingField
from answerback.language.fields import Field, Number, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

MAX_OFFSET: Final = 65535  # protocols have the length within their first bytes

ENCODINGS: Final[Mapping[int, Encoding]] = {
    v1.Framing.LengthPrefix.ENCODING_UNSPECIFIED: Encoding.BIG_ENDIAN,
    v1.Framing.LengthPrefix.ENCODING_BIG_ENDIAN: Encoding.BIG_ENDIAN,
    v1.Framing.LengthPrefix.ENCODING_LITTLE_ENDIAN: Encoding.LITTLE_ENDIAN,
    v1.Framing.LengthPrefix.ENCODING_DECIMAL: Encoding.DECIMAL,
    v1.Framing.LengthPrefix.ENCODING_HEX: Encoding.HEX,
    v1.Framing.LengthPrefix.ENCODING_VARINT: Encoding.VARINT,
    v1.Framing.LengthPrefix.ENCODING_BER: Encoding.BER,
}

FIELDS = describe(
    v1.Framing.LengthPrefix,
    Where.LISTENER,
    offset=Number(
        "framing: {length_prefix: {offset: 1, width: 4, adjust: -4}}",
        default="`0` bytes",
        most=MAX_OFFSET,
        unit="bytes",
    ),
    encoding=Field("framing: {length_prefix: {offset: 1, encoding: VARINT}}", default="`BIG_ENDIAN`"),
    width=Number(
        "framing: {length_prefix: {width: 2}}",
        least=1,
        most=MAX_DIGITS,
        words=f"at most {MAX_BINARY_BYTES} for integers; not for VARINT and BER",
    ),
    until=Field(
        'framing: {length_prefix: {encoding: DECIMAL, until: ":", adjust: 1, strip: true}}',
        words="one byte that is not a digit; only for DECIMAL and HEX",
    ),
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
    """A request contains its length."""

    runtime = LengthPrefix
    fields = FIELDS
    example = "framing: {length_prefix: {offset: 4, width: 2}}"
    provides = (
        FramingField(
            "frame.head",
            Type.BYTES,
            frame_head,
            "the request up to the end of its length; empty with `strip`",
            "hex(frame.head)",
            "000100000003",
        ),
        FramingField("frame.body", Type.BYTES, frame_body, "the request behind its length", "frame.body", "abc"),
    )
    sample = b"\0\1\0\0\0\3abc"

    def check(self, given: v1.Framing.LengthPrefix, path: str, checking: Checking) -> None:
        """Check the bounds, and that the length has an end that fits its encoding."""
        problems = checking.problems
        bounds.enum(v1.Framing.LengthPrefix.Encoding.DESCRIPTOR, given.encoding, f"{path}.encoding", problems)
        encoding = ENCODINGS.get(given.encoding)
        FIELDS.fields["offset"].check(given.offset, f"{path}.offset", checking)
        FIELDS.fields["adjust"].check(given.adjust, f"{path}.adjust", checking)
        if encoding is None:
            return
        extent = given.WhichOneof("extent")
        if encoding.is_digits or encoding.is_binary:
            if extent is None:
                choice = "width" if encoding.is_binary else "one of width, until"
                checking.add(path, f"a {encoding.name} length needs an end: set {choice}")
            elif extent == "width":
                checking.between(
                    given.width, 1, MAX_DIGITS if encoding.is_digits else MAX_BINARY_BYTES, f"{path}.width"
                )
            elif encoding.is_binary:
                checking.add(f"{path}.until", "only digits end at a byte: write width, or encoding: DECIMAL or HEX")
            else:
                self._check_until(given, f"{path}.until", encoding, checking)
        elif extent is not None:
            checking.add(f"{path}.{extent}", f"a {encoding.name} length ends by itself: remove {extent}")

    def _check_until(self, given: v1.Framing.LengthPrefix, path: str, encoding: Encoding, checking: Checking) -> None:
        until = checking.content(given.until, path)
        if until is not None and not is_ending(bytes(until[:2]), encoding):
            checking.add(path, f"must be one byte that is not a digit, not {quote(bytes(until))}")

    @override
    def compile(self, given: v1.Framing.LengthPrefix, compiling: Compiling) -> Framing:
        return LengthPrefix(
            given.offset,
            given.width,
            ENCODINGS[given.encoding],
            compiling.literal(given.until) if given.HasField("until") else b"",
            given.adjust,
            given.strip,
        )

    def describe(self, framing: LengthPrefix) -> str:
        """Name the encoding unless it is the default."""
        return self.name if framing.encoding is Encoding.BIG_ENDIAN else f"{self.name}, {framing.encoding.name}"

    def waits_for(self, framing: LengthPrefix, buffer: Buffer, missing: int) -> str | None:
        """Count the bytes of the prefix, too, if it is stripped."""
        missing = framing.min_frame_length(buffer) - len(buffer)
        return f"at least {missing} more byte{'s' * (missing > 1)}"
