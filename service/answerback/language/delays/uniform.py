"""`uniform`: every time between two is as likely."""

from answerback.core import delays
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.delays.base import DELAYS, DelayKind, check_durations
from answerback.v1 import config_pb2 as v1


@DELAYS.kind("uniform")
class UniformKind(DelayKind):
    """Every time between two is as likely."""

    example = "{uniform: {min: 10ms, max: 50ms}}"

    def check(self, given: v1.Delay.Uniform, path: str, checking: Checking) -> None:
        """Both within bounds, and the shortest not longer than the longest."""
        check_durations(given, path, checking, "min", "max")
        if given.HasField("max") and durations.nanoseconds(given.min) > durations.nanoseconds(given.max):
            least, most = durations.written(given.min), durations.written(given.max)
            checking.add(path, f"min, {least}, is more than max, {most}")

    def compile(self, given: v1.Delay.Uniform) -> delays.Delay:
        """Make the delay."""
        return delays.Uniform(durations.seconds(given.min), durations.seconds(given.max))
