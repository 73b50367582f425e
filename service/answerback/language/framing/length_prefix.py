"""`length_prefix`: a number in the request says how long it is."""

from typing import Final

from answerback.core import framing as core
from answerback.language import bounds
from answerback.language.context import Checking, Compiling
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

MAX_OFFSET: Final = 65535  # of a length: protocols have it within their first bytes


@FRAMINGS.kind("length_prefix")
class LengthPrefixKind(FramingKind):
    """A number in the request says how long it is."""

    runtime = core.LengthPrefix
    example = "{length_prefix: {offset: 4, width: 2}}"

    def check(self, given: v1.Framing.LengthPrefix, path: str, checking: Checking) -> None:
        """Numbers within bounds."""
        checking.between(given.offset, 0, MAX_OFFSET, f"{path}.offset")
        if given.width:
            checking.between(given.width, 1, 8, f"{path}.width")
        most = bounds.MAX_REQUEST_BYTES
        checking.between(given.adjust, -most, most, f"{path}.adjust")

    def compile(self, given: v1.Framing.LengthPrefix, compiling: Compiling) -> core.Framing:  # noqa: ARG002 - no bytes
        """Make the framing."""
        return core.LengthPrefix(given.offset, given.width, given.little_endian, given.adjust, given.strip)

    def waits_for(self, framing: core.LengthPrefix, buffer: core.Buffer, missing: int) -> str | None:  # noqa: ARG002
        """The head that is taken off is needed too."""
        if not framing.strip:
            return None
        missing += framing.offset + framing.width
        return f"{missing} more byte{'s' * (missing > 1)} at least" if missing > 0 else None
