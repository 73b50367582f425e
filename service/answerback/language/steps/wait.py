"""`wait`: wait for a signal."""

from typing import Final

from answerback.core import steps
from answerback.language import durations
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Time, Where, describe
from answerback.language.steps.base import STEPS, StepKind
from answerback.language.steps.signal import check_signal_name
from answerback.v1 import config_pb2 as v1

TIMEOUT_SECONDS: Final = 30.0

FIELDS = describe(
    v1.Step.Wait,
    Where.RULE,
    signal=Field("do: [wait: {signal: go}]", words="at most 128 characters"),
    timeout=Time(
        "do: [wait: {signal: go, timeout: 5s}]",
        default=f"`{TIMEOUT_SECONDS:g}s`",
        zero="the shortest wait is more than 0",
    ),
)


@STEPS.kind("wait")
class WaitKind(StepKind):
    """Wait for a signal."""

    fields = FIELDS
    example = r'do: [wait: {signal: go, timeout: 5s}, send: "gone\n"]'

    def check(self, given: v1.Step.Wait, path: str, checking: Checking) -> None:
        """Check the name and the time; a time in place of the name is meant as a delay."""
        FIELDS.check(given, path, checking)
        if given.signal and _is_time(given.signal):
            text = f"`wait` waits for a signal; to wait for a time, write `delay: {given.signal}`"
            checking.add(f"{path}.signal", text)
        elif given.signal:
            check_signal_name(given.signal, f"{path}.signal", checking)

    def compile(self, given: v1.Step.Wait, compiling: Compiling) -> steps.Step:  # noqa: ARG002 - as for all kinds
        """Make the step."""
        return steps.wait(given.signal, durations.seconds(given.timeout) or TIMEOUT_SECONDS)


def _is_time(text: str) -> bool:
    try:
        durations.parse(text)
    except ValueError:
        return False
    return True
