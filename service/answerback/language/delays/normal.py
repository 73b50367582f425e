"""`normal`: about a mean, as often above as below."""

from answerback.core import delays
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.delays.base import DELAYS, DelayKind, check_durations
from answerback.v1 import config_pb2 as v1


@DELAYS.kind("normal")
class NormalKind(DelayKind):
    """About a mean, as often above as below."""

    example = "{normal: {mean: 100ms, deviation: 20ms}}"

    def check(self, given: v1.Delay.Normal, path: str, checking: Checking) -> None:
        """Both within bounds."""
        check_durations(given, path, checking, "mean", "deviation")

    def compile(self, given: v1.Delay.Normal) -> delays.Delay:
        """Make the delay."""
        return delays.Normal(durations.seconds(given.mean), durations.seconds(given.deviation))
