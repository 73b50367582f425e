"""`lognormal`: about a median, with a long tail above."""

from math import isfinite
from typing import Final

from answerback.core import delays
from answerback.language import durations
from answerback.language.context import Checking
from answerback.language.delays.base import DELAYS, DelayKind, check_durations, check_more_than_zero
from answerback.v1 import config_pb2 as v1

MAX_SIGMA: Final = 10  # of a logarithm: one time in six, more than 22,000 times the median


@DELAYS.kind("lognormal")
class LognormalKind(DelayKind):
    """About a median, with a long tail above."""

    example = "{lognormal: {median: 20ms, sigma: 0.8}}"

    def check(self, given: v1.Delay.Lognormal, path: str, checking: Checking) -> None:
        """A median of more than 0, and a sigma that numbers can bear."""
        check_durations(given, path, checking, "median", "max")
        check_more_than_zero(given, path, checking, "median")
        if not isfinite(given.sigma) or not 0 <= given.sigma <= MAX_SIGMA:
            checking.add(f"{path}.sigma", f"must be more than 0, at most {MAX_SIGMA}, not {given.sigma:g}")

    def compile(self, given: v1.Delay.Lognormal) -> delays.Delay:
        """Make the delay."""
        most = durations.seconds(given.max) if given.HasField("max") else delays.LONGEST
        return delays.Lognormal(durations.seconds(given.median), given.sigma, most)
