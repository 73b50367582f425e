"""`latency`: each reply is late."""

from answerback.compat import override
from answerback.core import faults
from answerback.language.context import Checking
from answerback.language.delays import check_delay, compile_delay
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("latency")
class LatencyKind(FaultKind):
    """Each reply is late."""

    example = "faults: [{latency: {lognormal: {median: 20ms, sigma: 0.5}}}]"
    on_relays = True

    @override
    def check(self, given: v1.Delay, path: str, checking: Checking) -> None:
        check_delay(given, path, checking)

    @override
    def compile(self, given: v1.Delay) -> faults.Effect:
        return faults.Latency(compile_delay(given))
