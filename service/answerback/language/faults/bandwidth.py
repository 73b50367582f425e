"""`bandwidth`: replies come slowly."""

from answerback.core import faults
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("bandwidth")
class BandwidthKind(FaultKind):
    """Replies come slowly."""

    example = "bandwidth: {bytes_per_second: 1024}"
    needs_bytes = True

    def compile(self, given: v1.Fault.Bandwidth) -> faults.Effect:
        """Make the effect."""
        return faults.Bandwidth(given.bytes_per_second)
