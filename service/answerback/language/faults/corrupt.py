"""`corrupt`: replies have wrong bytes in them."""

from typing import Final

from answerback.compat import override
from answerback.core import faults
from answerback.language.context import Checking
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.language.fields import Field, Where, describe
from answerback.v1 import config_pb2 as v1

DEFAULT_BYTES: Final = 1


FIELDS = describe(
    v1.Fault.Corrupt,
    Where.LISTENER,
    bytes=Field(
        "faults: [{corrupt: {bytes: 3}}]",
        default="`1` byte",
        words="1 to 4294967295; all bytes, if there are fewer",
    ),
)


@FAULTS.kind("corrupt")
class CorruptKind(FaultKind):
    """Replies have wrong bytes in them."""

    fields = FIELDS
    example = "faults: [corrupt]"
    needs_bytes = True

    def check(self, given: v1.Fault.Corrupt, path: str, checking: Checking) -> None:
        """At least one byte."""
        if given.HasField("bytes") and not given.bytes:
            checking.add(f"{path}.bytes", "must be at least 1, not 0")

    @override
    def compile(self, given: v1.Fault.Corrupt) -> faults.Effect:
        return faults.Corrupt(given.bytes if given.HasField("bytes") else DEFAULT_BYTES)
