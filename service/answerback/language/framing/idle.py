"""`idle`: silence ends a request."""

from answerback.compat import override
from answerback.core.framing import Framing, Idle
from answerback.language import durations
from answerback.language.context import Compiling, Linting
from answerback.language.fields import Time, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Framing.Idle,
    Where.LISTENER,
    gap=Time("framing: {idle: {gap: 50ms}}", zero="must be more than 0"),
)


@FRAMINGS.kind("idle")
class IdleKind(FramingKind):
    """Silence ends a request."""

    runtime = Idle
    fields = FIELDS
    example = "framing: {idle: {gap: 20ms}}"

    @override
    def compile(self, given: v1.Framing.Idle, compiling: Compiling) -> Framing:
        return Idle(durations.seconds(given.gap))

    def describe(self, framing: Idle) -> str:
        """With its gap."""
        return f"idle, {framing.idle_gap:g} s"

    def lint(self, given: v1.Framing.Idle, path: str, linting: Linting) -> None:
        """A gap that a timeout of the listener never lets pass."""
        for shorter in ("idle_timeout", "request_timeout"):
            if durations.seconds(given.gap) > getattr(linting.limits, shorter):
                linting.add(f"{path}.gap", f"never ends a request: {shorter} closes the connection before")
