"""`bandwidth`: replies come slowly, or requests are read slowly."""

from answerback.compat import override
from answerback.core import faults
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.language.fields import Number, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Fault.Bandwidth,
    Where.LISTENER,
    bytes_per_second=Number(
        "faults: [{bandwidth: {bytes_per_second: 1000000}}]", least=1, most=(1 << 64) - 1, unit="bytes"
    ),
)


@FAULTS.kind("bandwidth")
class BandwidthKind(FaultKind):
    """Replies come slowly."""

    fields = FIELDS
    example = "faults: [{bandwidth: {bytes_per_second: 2400}}]"
    on_relays = True
    needs_bytes = True
    from_peer = True

    @override
    def read_rate(self, given: v1.Fault.Bandwidth) -> int:
        return int(given.bytes_per_second)

    @override
    def compile(self, given: v1.Fault.Bandwidth) -> faults.Effect:
        return faults.Bandwidth(given.bytes_per_second)
