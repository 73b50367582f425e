"""What may be wrong with a step."""

from collections.abc import Iterable

from answerback.config import bounds
from answerback.config.checking_bytes import BytesCheck
from answerback.config.checking_delays import DelayCheck
from answerback.config.checking_framing import FramingCheck
from answerback.config.payloads import MAX_BYTES, says_nothing
from answerback.config.problems import Problems, quoted, step_into
from answerback.core import templates
from answerback.v1 import config_pb2 as v1

# Rule: one step, one method; those without content have nothing wrong with them.

MAX_PIECES = 65_536  # of a dribble: each is kept until its time has come
MAX_NAME = 128  # characters of a state or variable


class StepCheck:
    """The checks of a rule's steps."""

    def __init__(self, data: BytesCheck, problems: Problems) -> None:
        self._data = data
        self._problems = problems
        self._delays = DelayCheck(problems)
        self._framings = FramingCheck(data, problems, in_step=True)

    def script(self, steps: Iterable[v1.Step], path: str) -> None:
        """Steps in a row; `path` is that of their list."""
        for index, step in enumerate(steps):
            self._step(step, f"{path}[{index}]")

    def _step(self, step: v1.Step, path: str) -> None:
        kind = step.WhichOneof("kind")
        if kind is None:
            self._problems.add(path, says_nothing(step))
            return
        check = getattr(self, f"_{kind}", None)
        if check is not None:
            check(step, step_into(path, kind))

    def _send(self, step: v1.Step, path: str) -> None:
        self._data.content(step.send, path)

    def _delay(self, step: v1.Step, path: str) -> None:
        self._delays.delay(step.delay, path)

    def _dribble(self, step: v1.Step, path: str) -> None:
        given = step.dribble
        data = self._data.content(given.payload, f"{path}.payload") if given.HasField("payload") else None
        kind = given.WhichOneof("pieces")
        if kind is None:
            self._problems.add(path, says_nothing(given))
        elif kind == "chunks":
            bounds.between(given.chunks, 1, MAX_PIECES, f"{path}.chunks", self._problems)
        else:
            bounds.between(given.size, 1, MAX_BYTES, f"{path}.size", self._problems)
            if data is not None and given.size and len(data) > given.size * MAX_PIECES:
                pieces = -(-len(data) // given.size)
                self._problems.add(f"{path}.size", f"makes {pieces} pieces; there can be {MAX_PIECES}")
        if given.HasField("gap"):
            bounds.duration(given.gap, bounds.MAX_DELAY, f"{path}.gap", self._problems)

    def _state(self, step: v1.Step, path: str) -> None:
        state_name(step.state, path, self._problems)

    def _set(self, step: v1.Step, path: str) -> None:
        self._variable(step.set.name, f"{path}.name")
        if step.set.HasField("value"):
            self._data.content(step.set.value, f"{path}.value")

    def _frame(self, step: v1.Step, path: str) -> None:
        self._framings.framing(step.frame, path)

    def _take(self, step: v1.Step, path: str) -> None:
        if step.take.HasField("framing"):
            self._framings.framing(step.take.framing, f"{path}.framing")
        self._variable(step.take.set, f"{path}.set")

    def _variable(self, name: str, path: str) -> None:
        if name and not (templates.is_variable(name) and len(name) <= MAX_NAME):
            self._problems.add(
                path, f"letters, digits, `_` and `-`, the first no digit, {MAX_NAME} at most, not {quoted(name)}"
            )


def state_name(name: str, path: str, problems: Problems) -> None:
    """The name of a state may be anything short."""
    if len(name) > MAX_NAME:
        problems.add(path, f"at most {MAX_NAME} characters, not {quoted(name)}")
