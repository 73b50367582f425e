"""`reset`: replies end in a reset."""

from answerback.compat import override
from answerback.core import faults
from answerback.language import durations
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.language.fields import Field, Time, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Fault.Reset,
    Where.LISTENER,
    after=Time("faults: [{reset: {after: 500ms}}]", default="`0`"),
    discard=Field("faults: [{reset: {after: 1s, discard: true}}]"),
)


@FAULTS.kind("reset")
class ResetKind(FaultKind):
    """Replies end in a reset."""

    fields = FIELDS
    example = "faults: [reset]"
    on_relays = True
    on_unix = "a Unix socket has no RST: the peer reads EOF, as after a close"

    @override
    def compile(self, given: v1.Fault.Reset) -> faults.Effect:
        return faults.Reset(durations.seconds(given.after), given.discard)

    def leaves_no_bytes(self, given: v1.Fault.Reset) -> bool:
        """It resets at once, or discards what comes before."""
        return given.discard or not durations.nanoseconds(given.after)
