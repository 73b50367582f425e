"""`state`: enter a state: `in_states` of rules look at it."""

from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.steps.base import STEPS, StepKind, check_state_name


@STEPS.kind("state")
class StateKind(StepKind):
    """Enter a state: `in_states` of rules look at it."""

    words = "at most 128 characters"
    example = r'do: [send: "250 OK\r\n", state: mail]'

    def check(self, given: str, path: str, checking: Checking) -> None:
        """Check the name."""
        check_state_name(given, path, checking)

    def compile(self, given: str, compiling: Compiling) -> steps.Step:  # noqa: ARG002 - it has no bytes
        """Make the step."""
        return steps.state(given)

    def enters(self, given: str) -> str:
        """The state."""
        return given
