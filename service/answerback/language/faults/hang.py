"""`hang`: replies stop, and the connection stays open."""

from answerback.compat import override
from answerback.core import faults
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.language.fields import Field, Time, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Fault.Hang,
    Where.LISTENER,
    after=Time("faults: [{hang: {after: 500ms}}]", default="`0`"),
    ignore_fin=Field("faults: [{hang: {ignore_fin: true}}]"),
)


@FAULTS.kind("hang")
class HangKind(FaultKind):
    """Replies stop, and the connection stays open."""

    fields = FIELDS
    example = "faults: [hang]"
    on_relays = True

    @override
    def check_on_relay(self, given: v1.Fault.Hang, path: str, checking: Checking) -> None:
        if given.ignore_fin:
            checking.add(f"{path}.ignore_fin", "not with an upstream, where FIN waits with everything else")

    @override
    def compile(self, given: v1.Fault.Hang) -> faults.Effect:
        return faults.Hang(durations.seconds(given.after), given.ignore_fin)

    def leaves_no_bytes(self, given: v1.Fault.Hang) -> bool:
        """It hangs at once."""
        return not durations.nanoseconds(given.after)
