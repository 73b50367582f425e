"""`blackhole`: bytes disappear."""

from answerback.compat import override
from answerback.core import faults
from answerback.language import durations
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.language.fields import Time, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Fault.Blackhole,
    Where.LISTENER,
    close_after=Time("faults: [{blackhole: {close_after: 2s}}]", default="`0`"),
)


@FAULTS.kind("blackhole")
class BlackholeKind(FaultKind):
    """Bytes disappear."""

    fields = FIELDS
    example = "faults: [blackhole]"
    on_relays = True
    needs_bytes = True

    @override
    def compile(self, given: v1.Fault.Blackhole) -> faults.Effect:
        return faults.Blackhole(durations.seconds(given.close_after))

    def leaves_no_bytes(self, given: v1.Fault.Blackhole) -> bool:  # noqa: ARG002 - whatever its time is
        """It discards them."""
        return True
