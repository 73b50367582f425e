"""`uniform`: every time between two is as likely."""

from answerback.compat import override
from answerback.core import delays
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.delays.base import DELAYS, DelayKind
from answerback.language.fields import Time, Where, describe
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Delay.Uniform,
    Where.RULE,
    min=Time("do: [delay: {uniform: {min: 1s, max: 2s}}]", default="`0`", words="at most `max`", negative=True),
    max=Time("do: [delay: {uniform: {max: 200ms}}]"),
)


@DELAYS.kind("uniform")
class UniformKind(DelayKind):
    """Every time between two is as likely."""

    fields = FIELDS
    example = "do: [delay: {uniform: {min: 10ms, max: 50ms}}]"

    def check(self, given: v1.Delay.Uniform, path: str, checking: Checking) -> None:
        """Both within bounds, and the shortest not longer than the longest."""
        FIELDS.check(given, path, checking)
        if given.HasField("max") and durations.nanoseconds(given.min) > durations.nanoseconds(given.max):
            least, most = durations.written(given.min), durations.written(given.max)
            checking.add(path, f"min, {least}, is more than max, {most}")

    @override
    def compile(self, given: v1.Delay.Uniform) -> delays.Delay:
        return delays.Uniform(durations.seconds(given.min), durations.seconds(given.max))
