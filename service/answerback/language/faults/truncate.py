"""`truncate`: replies end before their end."""

from answerback.compat import override
from answerback.core import faults
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.language.fields import Field, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Fault.Truncate,
    Where.LISTENER,
    bytes=Field(
        "faults: [{truncate: {bytes: 512}}]",
        default="`0` bytes",
        words="of the reply; with `target: CONNECTION`, of all affected replies of the connection",
    ),
    reset=Field("faults: [{truncate: {bytes: 4, reset: true}}]"),
)


@FAULTS.kind("truncate")
class TruncateKind(FaultKind):
    """Replies end before their end."""

    fields = FIELDS
    example = "faults: [truncate]"
    on_relays = True
    per_connection_on_relays = True
    needs_bytes = True

    @override
    def compile(self, given: v1.Fault.Truncate) -> faults.Effect:
        return faults.Truncate(given.bytes, given.reset)

    def leaves_no_bytes(self, given: v1.Fault.Truncate) -> bool:
        """Cut off before the first byte."""
        return not given.bytes
