"""`lognormal`: about a median, with a long tail above."""

from typing import Final

from answerback.compat import override
from answerback.core import delays
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.delays.base import DELAYS, DelayKind
from answerback.language.fields import Field, Time, Where, describe
from answerback.v1 import config_pb2 as v1

MAX_SIGMA: Final = 10  # of a logarithm: one time in six, more than 22,000 times the median


FIELDS = describe(
    v1.Delay.Lognormal,
    Where.RULE,
    median=Time("do: [delay: {lognormal: {median: 5ms, sigma: 1}}]", zero="must be more than 0"),
    sigma=Field("do: [delay: {lognormal: {median: 5ms, sigma: 0.25}}]", words="more than 0, to 10"),
    max=Time(
        "do: [delay: {lognormal: {median: 5ms, sigma: 2, max: 1s}}]",
        default="`1h`",
    ),
)


@DELAYS.kind("lognormal")
class LognormalKind(DelayKind):
    """About a median, with a long tail above."""

    fields = FIELDS
    example = "do: [delay: {lognormal: {median: 20ms, sigma: 0.5}}]"

    def check(self, given: v1.Delay.Lognormal, path: str, checking: Checking) -> None:
        """A median of more than 0, and a sigma that numbers can bear."""
        FIELDS.check(given, path, checking)
        if given.HasField("sigma") and not 0 < given.sigma <= MAX_SIGMA:  # a NaN is neither
            checking.add(f"{path}.sigma", f"must be more than 0, at most {MAX_SIGMA}, not {given.sigma:g}")

    @override
    def compile(self, given: v1.Delay.Lognormal) -> delays.Delay:
        most = durations.seconds(given.max) if given.HasField("max") else delays.MAX_SECONDS
        return delays.Lognormal(durations.seconds(given.median), given.sigma, most)
