"""The base of the kinds of step."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar, Final

from answerback.core import steps
from answerback.language.captures import NONE, Captures
from answerback.language.context import Checking, Compiling
from answerback.language.expressions import is_variable
from answerback.language.fields import Where
from answerback.language.payloads import says_nothing
from answerback.language.problems import quoted, step_into
from answerback.language.registry import Family, Kind
from answerback.v1 import config_pb2 as v1

MAX_NAME: Final = 128  # characters of a state or variable


class StepKind(Kind):
    """One thing done."""

    sends: ClassVar[bool] = False
    """Whether it sends bytes."""
    reads: ClassVar[bool] = False
    """Whether it waits for bytes of the peer."""
    half_closes: ClassVar[bool] = False
    """Whether nothing can be sent behind it."""
    closes: ClassVar[bool] = False
    """Whether the client reads FIN behind what was sent before."""
    ends: ClassVar[str] = ""
    """Why no step behind it is taken; empty if they are."""
    stands_alone: ClassVar[bool] = False
    """Whether it can be taken while another script waits, or where there is no conversation."""
    forwards: ClassVar[bool] = False
    """Whether it needs an upstream."""
    needs_request: ClassVar[bool] = False
    """Whether it does nothing where there is no request."""
    not_for_replies: ClassVar[str] = ""
    """Why it cannot be taken in a rule on REPLY; empty if it can."""

    @abstractmethod
    def compile(self, given: Any, compiling: Compiling) -> steps.Step:
        """Make the step of a checked value. Raises ValueError."""

    def epilogue(self, given: Any) -> steps.Step | None:  # noqa: ARG002 - most have none
        """The step that follows the last step of a script with this step, once; None if there is none."""
        return None

    def captures(self, given: Any) -> Captures:  # noqa: ARG002 - most capture nothing
        """Its captures, for the steps that follow."""
        return NONE

    def enters(self, given: Any) -> str | None:  # noqa: ARG002 - most enter none
        """The state that it enters, if it enters one."""
        return None

    def expects(self, given: Any) -> bool:  # noqa: ARG002 - most expect nothing
        """Whether it closes the connection as `unexpected` if a frame is not what it expects."""
        return False

    def behind_fin(self, given: Any) -> str:  # noqa: ARG002 - most do what they always do
        """The difference if the peer has already closed its half, for a warning; empty if there is none."""
        return ""


STEPS: Family[StepKind] = Family(v1.Step, "step", Where.RULE)


def check_script(script: Iterable[v1.Step], path: str, checking: Checking) -> None:
    """Report what is wrong with steps in a row; `path` is that of their list."""
    within = checking.within_step()
    for index, step in enumerate(script):
        here = f"{path}[{index}]"
        kind = STEPS.of(step)
        if kind is None:
            checking.add(here, says_nothing(step))
        else:
            given = getattr(step, kind.name)
            kind.check(given, step_into(here, kind.name), within)
            if checking.scope.of_reply and kind.not_for_replies:
                checking.add(step_into(here, kind.name), f"not in a rule on REPLY: {kind.not_for_replies}")
            within = replace(within, scope=within.scope.behind_frame(kind.captures(given)))


def compile_script(script: Iterable[v1.Step], compiling: Compiling) -> tuple[steps.Step, ...]:
    """Make the steps of a checked script. Raises ValueError for what `check_script` would have reported."""
    chosen = [*map(STEPS.chosen, script)]
    closing = max((index for index, (kind, _) in enumerate(chosen) if kind.closes), default=-1)
    compiled = []
    for index, (kind, given) in enumerate(chosen):
        place = replace(compiling, closes=index < closing, is_last=index == len(chosen) - 1)
        compiled.append(kind.compile(given, place))
        compiling = replace(compiling, scope=compiling.scope.behind_frame(kind.captures(given)))
    epilogues = dict.fromkeys(step for kind, given in chosen if (step := kind.epilogue(given)) is not None)
    return (*compiled, *epilogues)


def check_state_name(name: str, path: str, checking: Checking) -> None:
    """Check that the name of a state is short; it may be anything else."""
    if len(name) > MAX_NAME:
        checking.add(path, f"at most {MAX_NAME} characters, not {quoted(name)}")


def check_variable_name(name: str, path: str, checking: Checking) -> None:
    """Check the name of a variable, if it is given."""
    if name and not (is_variable(name) and len(name) <= MAX_NAME):
        checking.add(path, f"letters, digits, `_` and `-`, the first no digit, {MAX_NAME} at most, not {quoted(name)}")
