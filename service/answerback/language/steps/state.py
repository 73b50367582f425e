"""`state`: enter a state: `in_states` of rules look at it."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.steps.base import STEPS, StepKind, check_state_name


@STEPS.kind("state")
class StateKind(StepKind):
    """Enter a state: `in_states` of rules look at it."""

    words = "at most 128 characters"
    example = r'do: [send: "250 OK\r\n", state: mail]'

    @override
    def check(self, given: str, path: str, checking: Checking) -> None:
        check_state_name(given, path, checking)

    @override
    def compile(self, given: str, compiling: Compiling) -> steps.Step:
        return steps.state(given)

    def enters(self, given: str) -> str:
        """The state."""
        return given
