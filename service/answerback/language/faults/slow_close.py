"""`slow_close`: connections close late."""

from answerback.compat import override
from answerback.core import faults
from answerback.core.bounded_counter import CountedFor
from answerback.language.context import Checking
from answerback.language.delays import check_delay, compile_delay
from answerback.language.faults.base import FAULTS, FaultKind, scope_of
from answerback.language.fields import Field, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Fault.SlowClose,
    Where.LISTENER,
    delay=Field("faults: [{slow_close: {delay: 2s}}]"),
)


@FAULTS.kind("slow_close")
class SlowCloseKind(FaultKind):
    """Connections close late."""

    fields = FIELDS
    example = "faults: [{slow_close: {delay: 1s}}]"
    on_relays = True

    @override
    def check(self, given: v1.Fault.SlowClose, path: str, checking: Checking) -> None:
        if given.HasField("delay"):
            check_delay(given.delay, f"{path}.delay", checking)

    @override
    def compile(self, given: v1.Fault.SlowClose) -> faults.Effect:
        return faults.SlowClose(compile_delay(given.delay))

    def never_applies(self, fault: v1.Fault) -> str | None:
        """A connection closes once, so nothing is left to skip."""
        if scope_of(fault) is CountedFor.CONNECTION and (fault.skip or fault.every > 1):
            return "a connection is closed once"
        return None
