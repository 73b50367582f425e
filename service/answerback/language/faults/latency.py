"""`latency`: each reply is late."""

from answerback.core import faults
from answerback.language.context import Checking
from answerback.language.delays import check_delay, compile_delay
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("latency")
class LatencyKind(FaultKind):
    """Each reply is late."""

    example = "faults: [{latency: {lognormal: {median: 20ms, sigma: 0.5}}}]"

    def check(self, given: v1.Delay, path: str, checking: Checking) -> None:
        """Check the delay."""
        check_delay(given, path, checking)

    def compile(self, given: v1.Delay) -> faults.Effect:
        """Make the effect."""
        return faults.Latency(compile_delay(given))
