"""What of a listener's faults is probably not meant."""

from collections.abc import Callable, Mapping

from answerback.config.problems import Problems
from answerback.v1 import config_pb2 as v1

_NEED_BYTES = {"bandwidth", "slice", "cut", "corrupt", "drop"}


def advise(listener: v1.Listener, path: str, problems: Problems) -> None:
    """Faults that never strike."""
    ends: str | None = None  # the first that leaves nothing of any reply
    swallows: str | None = None  # the first that leaves no bytes of any reply
    for index, fault in enumerate(listener.faults):
        here = f"{path}.faults[{index}]"
        kind: str = fault.WhichOneof("kind") or ""
        why = _why_never(fault, kind, ends, swallows)
        if why is not None:
            problems.add(here, f"never strikes: {why}")
        elif _always(fault) and _ENDS.get(kind, _no)(fault):
            ends = ends or f"faults[{index}]"
        elif _always(fault) and kind == "drop":
            swallows = swallows or f"faults[{index}]"


def _why_never(fault: v1.Fault, kind: str, ends: str | None, swallows: str | None) -> str | None:
    if fault.HasField("probability") and not fault.probability:
        return "its probability is 0"
    if ends is not None and kind != "slow_close":  # which is about other closes too
        return f"{ends} ends every reply before it begins"
    if swallows is not None and kind in _NEED_BYTES:
        return f"{swallows} leaves no bytes of any reply"
    if kind == "slow_close" and fault.scope == v1.Fault.SCOPE_CONNECTION and (fault.after or fault.every > 1):
        return "a connection is closed once"
    return None


def _always(fault: v1.Fault) -> bool:
    certain = not fault.HasField("probability") or fault.probability >= 1
    return certain and not fault.after and not fault.first and fault.every <= 1


def _no(_fault: v1.Fault) -> bool:
    return False


_ENDS: Mapping[str, Callable[[v1.Fault], bool]] = {
    "hang": lambda fault: not fault.hang.after.ToNanoseconds(),
    "reset": lambda fault: not fault.reset.after.ToNanoseconds(),
}
