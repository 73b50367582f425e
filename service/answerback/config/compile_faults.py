"""Ways to misbehave, to the core's."""

from collections.abc import Callable, Mapping

from answerback.config import durations
from answerback.config.compile_delays import delay_of
from answerback.core import faults
from answerback.v1 import config_pb2 as v1

# Rule: one fault, one row.
# Rule: a default stands here, once, and in the documents; nothing else knows what an absent field means.

DEFAULT_CORRUPT_BYTES = 1


def compile_fault(given: v1.Fault, name: str, place: int, counter: int) -> faults.Fault | None:
    """A fault whose strikes are counted at this place, its turns at `counter`; None for one that is switched off.

    Raises ValueError for what `check` would have refused.
    """
    kind: str = given.WhichOneof("kind") or ""
    if kind not in _EFFECTS:
        raise ValueError("a fault says nothing")
    if given.HasField("probability") and not given.probability:
        return None
    return faults.Fault(
        name=name,
        place=place,
        effect=_EFFECTS[kind](given),
        probability=given.probability if given.HasField("probability") else 1.0,
        per_connection=given.scope == v1.Fault.SCOPE_CONNECTION,
        after=given.after,
        first=given.first,
        every=given.every or 1,
        counter=counter,
    )


def _corrupt(given: v1.Fault) -> faults.Effect:
    return faults.Corrupt(given.corrupt.bytes if given.corrupt.HasField("bytes") else DEFAULT_CORRUPT_BYTES)


def _slice(given: v1.Fault) -> faults.Effect:
    return faults.Slice(given.slice.size, given.slice.variation, durations.seconds(given.slice.gap))


_EFFECTS: Mapping[str, Callable[[v1.Fault], faults.Effect]] = {
    "latency": lambda given: faults.Latency(delay_of(given.latency)),
    "bandwidth": lambda given: faults.Bandwidth(given.bandwidth.bytes_per_second),
    "slice": _slice,
    "cut": lambda given: faults.Cut(given.cut.bytes, given.cut.reset),
    "hang": lambda given: faults.Hang(durations.seconds(given.hang.after)),
    "reset": lambda given: faults.Reset(durations.seconds(given.reset.after)),
    "slow_close": lambda given: faults.SlowClose(delay_of(given.slow_close.delay)),
    "corrupt": _corrupt,
    "drop": lambda _given: faults.Drop(),
}
