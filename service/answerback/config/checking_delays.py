"""What may be wrong with a delay."""

from math import isfinite

from answerback.config import bounds, durations
from answerback.config.payloads import says_nothing
from answerback.config.problems import Problems, step_into
from answerback.v1 import config_pb2 as v1

# Rule: one distribution, one method.

_Tailed = v1.Delay.Lognormal | v1.Delay.Exponential

MAX_SIGMA = 10  # of a logarithm: one time in six, more than 22,000 times the median


class DelayCheck:
    """The checks of delays."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def delay(self, given: v1.Delay, path: str) -> None:
        """How long to wait."""
        kind = given.WhichOneof("kind")
        if kind is None:
            self._problems.add(path, says_nothing(given))
        else:
            getattr(self, f"_{kind}")(given, step_into(path, kind))

    def _fixed(self, given: v1.Delay, path: str) -> None:
        bounds.duration(given.fixed, bounds.MAX_DELAY, path, self._problems)

    def _uniform(self, given: v1.Delay, path: str) -> None:
        uniform = given.uniform
        self._parts(uniform, path, "min", "max")
        if uniform.HasField("max") and durations.nanoseconds(uniform.min) > durations.nanoseconds(uniform.max):
            least, most = durations.written(uniform.min), durations.written(uniform.max)
            self._problems.add(path, f"min, {least}, is more than max, {most}")

    def _normal(self, given: v1.Delay, path: str) -> None:
        self._parts(given.normal, path, "mean", "deviation")

    def _lognormal(self, given: v1.Delay, path: str) -> None:
        lognormal = given.lognormal
        self._parts(lognormal, path, "median", "max")
        self._not_zero(lognormal, path, "median")
        if not isfinite(lognormal.sigma) or not 0 <= lognormal.sigma <= MAX_SIGMA:
            self._problems.add(f"{path}.sigma", f"must be more than 0, at most {MAX_SIGMA}, not {lognormal.sigma:g}")

    def _exponential(self, given: v1.Delay, path: str) -> None:
        self._parts(given.exponential, path, "mean", "max")
        self._not_zero(given.exponential, path, "mean")

    def _parts(self, given: v1.Delay.Uniform | v1.Delay.Normal | _Tailed, path: str, *names: str) -> None:
        for name in names:
            if given.HasField(name):  # type: ignore[arg-type]
                bounds.duration(getattr(given, name), bounds.MAX_DELAY, f"{path}.{name}", self._problems)

    def _not_zero(self, given: _Tailed, path: str, name: str) -> None:
        if given.HasField(name) and not durations.nanoseconds(getattr(given, name)):  # type: ignore[arg-type]
            self._problems.add(f"{path}.{name}", "must be more than 0")
