"""`idle`: silence ends a request."""

from answerback.core import framing as core
from answerback.language import durations
from answerback.language.context import Checking, Compiling, Linting
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("idle")
class IdleKind(FramingKind):
    """Silence ends a request."""

    runtime = core.Idle
    example = "{idle: {gap: 50ms}}"

    def check(self, given: v1.Framing.Idle, path: str, checking: Checking) -> None:
        """A gap of more than 0."""
        if not given.HasField("gap"):
            return
        checking.duration(given.gap, f"{path}.gap")
        if not durations.nanoseconds(given.gap):
            checking.add(f"{path}.gap", "must be more than 0: no silence ends nothing")

    def compile(self, given: v1.Framing.Idle, compiling: Compiling) -> core.Framing:  # noqa: ARG002 - it has no bytes
        """Make the framing."""
        return core.Idle(durations.seconds(given.gap))

    def describe(self, framing: core.Idle) -> str:
        """With its gap."""
        return f"idle, {framing.gap:g} s"

    def lint(self, given: v1.Framing.Idle, path: str, linting: Linting) -> None:
        """A gap that a timeout of the listener never lets pass."""
        for shorter in ("idle_timeout", "request_timeout"):
            if durations.seconds(given.gap) > getattr(linting.limits, shorter):
                linting.add(f"{path}.gap", f"never ends a request: {shorter} closes the connection before")
