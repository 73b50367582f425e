"""`slice`: replies come in pieces."""

from answerback.core import faults
from answerback.language import durations, payloads
from answerback.language.context import Checking
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("slice")
class SliceKind(FaultKind):
    """Replies come in pieces."""

    example = "slice: {size: 16, gap: 10ms}"
    needs_bytes = True

    def check(self, given: v1.Fault.Slice, path: str, checking: Checking) -> None:
        """A size within bounds, and a variation that leaves at least one byte."""
        checking.duration(given.gap, f"{path}.gap")
        if not given.size:
            return  # said already
        checking.between(given.size, 1, payloads.MAX_BYTES, f"{path}.size")
        if given.variation >= given.size:
            checking.add(f"{path}.variation", f"must be less than size, {given.size}, not {given.variation}")

    def compile(self, given: v1.Fault.Slice) -> faults.Effect:
        """Make the effect."""
        return faults.Slice(given.size, given.variation, durations.seconds(given.gap))
