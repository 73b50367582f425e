"""What may be wrong with a framing."""

from answerback.config import bounds
from answerback.config.checking_bytes import BytesCheck, pattern
from answerback.config.payloads import says_nothing
from answerback.config.problems import Problems, step_into
from answerback.core.framing import check_pattern
from answerback.core.patterns import PatternError
from answerback.v1 import config_pb2 as v1

# Rule: one framing, one method; those without content have nothing wrong with them.
# Rule: what is missing altogether is said in `checking`, for every message alike.

MAX_OFFSET = 65535  # of a length: protocols have it within their first bytes


class FramingCheck:
    """The checks of framings. `in_step`: whether it is a step's, which knows a request."""

    def __init__(self, data: BytesCheck, problems: Problems, *, in_step: bool) -> None:
        self._data = data
        self._problems = problems
        self._in_step = in_step

    def framing(self, given: v1.Framing, path: str) -> None:
        """How bytes become requests."""
        kind = given.WhichOneof("kind")
        if kind is None:
            self._problems.add(path, says_nothing(given))
            return
        check = getattr(self, f"_{kind}", None)
        if check is not None:
            check(given, step_into(path, kind))

    def _read(self, given: v1.Framing, path: str) -> None:
        if given.read.HasField("max_bytes"):
            bounds.between(given.read.max_bytes, 1, bounds.MAX_READ_BYTES, f"{path}.max_bytes", self._problems)

    def _delimiter(self, given: v1.Framing, path: str) -> None:
        if given.delimiter.HasField("end"):
            self._data.not_empty(given.delimiter.end, f"{path}.end")

    def _pattern(self, given: v1.Framing, path: str) -> None:
        if not given.pattern.end:
            return
        if not pattern(given.pattern.end, f"{path}.end", self._problems):
            return
        try:
            check_pattern(given.pattern.end)
        except PatternError as problem:
            self._problems.add(f"{path}.end", str(problem))

    def _fixed(self, given: v1.Framing, path: str) -> None:
        kind = given.fixed.WhichOneof("bytes")
        if kind is None:
            self._problems.add(path, says_nothing(given.fixed))
        elif kind == "size":
            bounds.between(given.fixed.size, 1, bounds.MAX_REQUEST_BYTES, f"{path}.size", self._problems)
        elif self._in_step:
            self._data.template(given.fixed.size_from, f"{path}.size_from")
        else:
            self._problems.add(
                f"{path}.size_from",
                "is settled when a step runs: a listener's own framing has a size; use it in frame or take",
            )

    def _length_prefix(self, given: v1.Framing, path: str) -> None:
        prefix = given.length_prefix
        bounds.between(prefix.offset, 0, MAX_OFFSET, f"{path}.offset", self._problems)
        if prefix.width:
            bounds.between(prefix.width, 1, 8, f"{path}.width", self._problems)
        most = bounds.MAX_REQUEST_BYTES
        bounds.between(prefix.adjust, -most, most, f"{path}.adjust", self._problems)

    def _idle(self, given: v1.Framing, path: str) -> None:
        if not given.idle.HasField("gap"):
            return
        bounds.duration(given.idle.gap, bounds.MAX_DELAY, f"{path}.gap", self._problems)
        if not given.idle.gap.seconds and not given.idle.gap.nanos:
            self._problems.add(f"{path}.gap", "must be more than 0: no silence ends nothing")
