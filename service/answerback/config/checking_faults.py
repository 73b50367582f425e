"""What may be wrong with a fault, but for its name."""

from answerback.config import bounds
from answerback.config.checking_delays import DelayCheck
from answerback.config.payloads import MAX_BYTES, says_nothing
from answerback.config.problems import Problems, step_into
from answerback.v1 import config_pb2 as v1

# Rule: one fault, one method; those that can have nothing wrong with them have none.

MAX_FAULTS = 32  # of a listener: each is a generator around the one before it


class FaultCheck:
    """The checks of faults."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._delays = DelayCheck(problems)

    def fault(self, given: v1.Fault, path: str) -> None:
        """When it strikes, and what it does."""
        bounds.enum(v1.Fault.Scope.DESCRIPTOR, given.scope, f"{path}.scope", self._problems)
        if not 0 <= (given.probability if given.HasField("probability") else 1) <= 1:  # NaN is neither
            self._problems.add(f"{path}.probability", f"must be 0 to 1, not {given.probability:g}")
        kind = given.WhichOneof("kind")
        if kind is None:
            self._problems.add(path, says_nothing(given))
            return
        check = getattr(self, f"_{kind}", None)
        if check is not None:
            check(given, step_into(path, kind))

    def _latency(self, given: v1.Fault, path: str) -> None:
        self._delays.delay(given.latency, path)

    def _slice(self, given: v1.Fault, path: str) -> None:
        pieces = given.slice
        bounds.duration(pieces.gap, bounds.MAX_DELAY, f"{path}.gap", self._problems)
        if not pieces.size:
            return  # said already
        bounds.between(pieces.size, 1, MAX_BYTES, f"{path}.size", self._problems)
        if pieces.variation >= pieces.size:
            self._problems.add(f"{path}.variation", f"must be less than size, {pieces.size}, not {pieces.variation}")

    def _hang(self, given: v1.Fault, path: str) -> None:
        bounds.duration(given.hang.after, bounds.MAX_DELAY, f"{path}.after", self._problems)

    def _reset(self, given: v1.Fault, path: str) -> None:
        bounds.duration(given.reset.after, bounds.MAX_DELAY, f"{path}.after", self._problems)

    def _slow_close(self, given: v1.Fault, path: str) -> None:
        if given.slow_close.HasField("delay"):
            self._delays.delay(given.slow_close.delay, f"{path}.delay")

    def _corrupt(self, given: v1.Fault, path: str) -> None:
        if given.corrupt.HasField("bytes") and not given.corrupt.bytes:
            self._problems.add(f"{path}.bytes", "must be at least 1")
