"""`exponential`: the time until the next of events that come at any moment."""

from answerback.core import delays
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.delays.base import DELAYS, DelayKind, check_durations, check_more_than_zero
from answerback.v1 import config_pb2 as v1


@DELAYS.kind("exponential")
class ExponentialKind(DelayKind):
    """The time until the next of events that come at any moment."""

    example = "{exponential: {mean: 50ms, max: 2s}}"

    def check(self, given: v1.Delay.Exponential, path: str, checking: Checking) -> None:
        """A mean of more than 0."""
        check_durations(given, path, checking, "mean", "max")
        check_more_than_zero(given, path, checking, "mean")

    def compile(self, given: v1.Delay.Exponential) -> delays.Delay:
        """Make the delay."""
        most = durations.seconds(given.max) if given.HasField("max") else delays.LONGEST
        return delays.Exponential(durations.seconds(given.mean), most)
