"""How a configuration says how long to wait, to a core delay."""

from collections.abc import Callable, Mapping

from answerback.config import durations
from answerback.core import delays
from answerback.v1 import config_pb2 as v1

# Rule: one distribution, one row.


def delay_of(given: v1.Delay) -> delays.Delay:
    """How long to wait. Raises ValueError for what `check` would have refused."""
    kind: str = given.WhichOneof("kind") or ""
    if kind not in _DELAYS:
        raise ValueError("a delay says nothing")
    return _DELAYS[kind](given)


def _most(given: v1.Delay.Lognormal | v1.Delay.Exponential) -> float:
    return durations.seconds(given.max) if given.HasField("max") else delays.LONGEST


_DELAYS: Mapping[str, Callable[[v1.Delay], delays.Delay]] = {
    "fixed": lambda given: delays.Fixed(durations.seconds(given.fixed)),
    "uniform": lambda given: delays.Uniform(durations.seconds(given.uniform.min), durations.seconds(given.uniform.max)),
    "normal": lambda given: delays.Normal(
        durations.seconds(given.normal.mean), durations.seconds(given.normal.deviation)
    ),
    "lognormal": lambda given: delays.Lognormal(
        durations.seconds(given.lognormal.median), given.lognormal.sigma, _most(given.lognormal)
    ),
    "exponential": lambda given: delays.Exponential(
        durations.seconds(given.exponential.mean), _most(given.exponential)
    ),
}
