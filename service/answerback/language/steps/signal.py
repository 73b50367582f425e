"""`signal`: give a signal that `wait` waits for."""

from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.problems import quoted
from answerback.language.steps.base import MAX_NAME, STEPS, StepKind


@STEPS.kind("signal")
class SignalKind(StepKind):
    """Give a signal that `wait` waits for."""

    words = f"at most {MAX_NAME} characters"
    example = r'do: [signal: go, send: "ok\n"]'

    def check(self, given: str, path: str, checking: Checking) -> None:
        """Check the name."""
        check_signal_name(given, path, checking)

    def compile(self, given: str, compiling: Compiling) -> steps.Step:  # noqa: ARG002 - as for all kinds
        """Make the step."""
        return steps.signal(given)


def check_signal_name(name: str, path: str, checking: Checking) -> None:
    """Check that the name of a signal is there, and short; it may be anything else."""
    if not name or len(name) > MAX_NAME:
        checking.add(path, f"1 to {MAX_NAME} characters, not {quoted(name)}")
