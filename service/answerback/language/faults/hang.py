"""`hang`: replies stop, and the connection stays open."""

from answerback.core import faults
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("hang")
class HangKind(FaultKind):
    """Replies stop, and the connection stays open."""

    example = "hang"

    def check(self, given: v1.Fault.Hang, path: str, checking: Checking) -> None:
        """Check when it hangs."""
        checking.duration(given.after, f"{path}.after")

    def compile(self, given: v1.Fault.Hang) -> faults.Effect:
        """Make the effect."""
        return faults.Hang(durations.seconds(given.after), given.ignore_fin)

    def leaves_no_bytes(self, given: v1.Fault.Hang) -> bool:
        """It hangs at once."""
        return not durations.nanoseconds(given.after)
