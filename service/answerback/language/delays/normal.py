"""`normal`: symmetric around a mean."""

from answerback.compat import override
from answerback.core import delays
from answerback.language import durations
from answerback.language.delays.base import DELAYS, DelayKind
from answerback.language.fields import Time, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Delay.Normal,
    Where.RULE,
    mean=Time("do: [delay: {normal: {mean: 1s, deviation: 250ms}}]"),
    deviation=Time("do: [delay: {normal: {mean: 80ms, deviation: 10ms}}]"),
)


@DELAYS.kind("normal")
class NormalKind(DelayKind):
    """Symmetric around a mean."""

    fields = FIELDS
    example = "do: [delay: {normal: {mean: 100ms, deviation: 20ms}}]"

    @override
    def compile(self, given: v1.Delay.Normal) -> delays.Delay:
        return delays.Normal(durations.seconds(given.mean), durations.seconds(given.deviation))
