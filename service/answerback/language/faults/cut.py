"""`cut`: replies end before their end."""

from answerback.core import faults
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("cut")
class CutKind(FaultKind):
    """Replies end before their end."""

    example = "cut: {bytes: 10}"
    needs_bytes = True

    def compile(self, given: v1.Fault.Cut) -> faults.Effect:
        """Make the effect."""
        return faults.Cut(given.bytes, given.reset)

    def leaves_no_bytes(self, given: v1.Fault.Cut) -> bool:
        """Cut off before the first byte."""
        return not given.bytes
