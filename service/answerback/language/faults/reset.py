"""`reset`: replies end in a reset."""

from answerback.core import faults
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("reset")
class ResetKind(FaultKind):
    """Replies end in a reset."""

    example = "reset: {after: 100ms}"
    on_unix = "a Unix socket has no RST: the peer reads the end, as after a close"

    def check(self, given: v1.Fault.Reset, path: str, checking: Checking) -> None:
        """Check when it resets."""
        checking.duration(given.after, f"{path}.after")

    def compile(self, given: v1.Fault.Reset) -> faults.Effect:
        """Make the effect."""
        return faults.Reset(durations.seconds(given.after))

    def leaves_no_bytes(self, given: v1.Fault.Reset) -> bool:
        """It resets at once."""
        return not durations.nanoseconds(given.after)
