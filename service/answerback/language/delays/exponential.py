"""`exponential`: the time until the next of events that come at any moment."""

from answerback.compat import override
from answerback.core import delays
from answerback.language import durations
from answerback.language.delays.base import DELAYS, DelayKind
from answerback.language.fields import Time, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Delay.Exponential,
    Where.RULE,
    mean=Time("do: [delay: {exponential: {mean: 1s}}]", zero="must be more than 0"),
    max=Time("do: [delay: {exponential: {mean: 1s, max: 5s}}]", default="`1h`"),
)


@DELAYS.kind("exponential")
class ExponentialKind(DelayKind):
    """The time until the next of events that come at any moment."""

    fields = FIELDS
    example = "do: [delay: {exponential: {mean: 50ms}}]"

    @override
    def compile(self, given: v1.Delay.Exponential) -> delays.Delay:
        most = durations.seconds(given.max) if given.HasField("max") else delays.MAX_SECONDS
        return delays.Exponential(durations.seconds(given.mean), most)
