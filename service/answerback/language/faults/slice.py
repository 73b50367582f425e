"""`slice`: replies come in pieces."""

from answerback.compat import override
from answerback.core import faults
from answerback.language import durations, payloads
from answerback.language.context import Checking
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.language.fields import Field, Number, Time, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Fault.Slice,
    Where.LISTENER,
    size=Number("faults: [{slice: {size: 100}}]", least=1, most=payloads.MAX_BYTES, unit="bytes"),
    variation=Field(
        "faults: [{slice: {size: 10, variation: 9}}]",
        default="`0` bytes",
        words="less than `size`",
    ),
    gap=Time("faults: [{slice: {size: 1, gap: 20ms}}]", default="`0`"),
)


@FAULTS.kind("slice")
class SliceKind(FaultKind):
    """Replies come in pieces."""

    fields = FIELDS
    example = "faults: [{slice: {size: 1}}]"
    on_relays = True
    needs_bytes = True

    def check(self, given: v1.Fault.Slice, path: str, checking: Checking) -> None:
        """Within bounds, and a variation that leaves at least one byte."""
        FIELDS.check(given, path, checking)
        if given.size and given.variation >= given.size:
            checking.add(f"{path}.variation", f"must be less than size, {given.size}, not {given.variation}")

    @override
    def compile(self, given: v1.Fault.Slice) -> faults.Effect:
        return faults.Slice(given.size, given.variation, durations.seconds(given.gap))
