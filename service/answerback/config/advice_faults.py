"""What of a listener's faults is probably not meant."""

from collections.abc import Callable, Mapping

from answerback.config.problems import Problems
from answerback.v1 import config_pb2 as v1

_NEED_BYTES = {"bandwidth", "slice", "cut", "corrupt", "drop"}
_LEAVES_NO_BYTES: Mapping[str, Callable[[v1.Fault], bool]] = {
    "cut": lambda fault: not fault.cut.bytes,
    "hang": lambda fault: not fault.hang.after.ToNanoseconds(),
    "reset": lambda fault: not fault.reset.after.ToNanoseconds(),
    "drop": lambda _fault: True,
}


def advise(listener: v1.Listener, path: str, problems: Problems) -> None:
    """Faults that never strike."""
    swallows: str | None = None  # the first that leaves no bytes of any reply
    for index, fault in enumerate(listener.faults):
        kind: str = fault.WhichOneof("kind") or ""
        why = _why_never(fault, kind)
        if why is None and swallows is not None and kind in _NEED_BYTES:
            why = f"{swallows} leaves no bytes of any reply"
        if why is not None:
            problems.add(f"{path}.faults[{index}]", f"never strikes: {why}")
        elif swallows is None and kind in _LEAVES_NO_BYTES and _LEAVES_NO_BYTES[kind](fault) and _always(fault):
            swallows = f"faults[{index}]"


def _why_never(fault: v1.Fault, kind: str) -> str | None:
    if fault.HasField("probability") and not fault.probability:
        return "its probability is 0"
    if kind == "slow_close" and fault.scope == v1.Fault.SCOPE_CONNECTION and (fault.after or fault.every > 1):
        return "a connection is closed once"
    return None


def _always(fault: v1.Fault) -> bool:
    certain = not fault.HasField("probability") or fault.probability >= 1
    return certain and not fault.after and not fault.first and fault.every <= 1
