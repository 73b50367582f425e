"""`fixed`: always as long."""

from google.protobuf.duration_pb2 import Duration

from answerback.compat import override
from answerback.core import delays
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.delays.base import DELAYS, DelayKind


@DELAYS.kind("fixed")
class FixedKind(DelayKind):
    """Always as long."""

    example = "do: [delay: {fixed: 300ms}]"

    def check(self, given: Duration, path: str, checking: Checking) -> None:
        """A constant time, 1 h at most."""
        checking.duration(given, path)

    @override
    def compile(self, given: Duration) -> delays.Delay:
        return delays.Fixed(durations.seconds(given))
