"""What a script expects of a frame that it receives."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from answerback.core.context import RequestContext
from answerback.core.matching.base import Explainer, Matcher, Mismatch
from answerback.core.matching.combinations import share
from answerback.core.matching.effort import in_parts

# Rule: the request of the context is the frame only while they are compared: no other event is handled meanwhile.


@dataclass(frozen=True, slots=True)
class Expectation:
    """The condition that a frame must meet, and the rule whose script says so."""

    rule: str
    cell: int
    """The cell that counts the frames that the rule did not expect."""
    matches: Matcher
    explainer: Callable[[], Explainer]
    """Makes what explains a mismatch. It is called for the first one."""

    def compare(self, frame: bytes, context: RequestContext) -> Generator["Unexpected | None", None, None]:
        """Compare a frame: yields None between the parts, and `Unexpected` if it does not match.

        If it matches, its captures are added to those of the context.
        """
        request, captures = context.request, context.captures
        context.request = frame
        matched = yield from in_parts(self.matches, frame, context)
        context.request = request
        if matched:
            share(context, captures)
        else:
            yield Unexpected(self, frame)

    def mismatch(self, frame: bytes, context: RequestContext) -> Mismatch:
        """Return why a frame does not match. Slow."""
        request, context.request = context.request, frame
        mismatch = self.explainer()(frame, context)
        context.request = request
        return mismatch or Mismatch("is not what is expected")


@dataclass(frozen=True, slots=True)
class Unexpected:
    """End the conversation in order: a frame is not what the script expects. Later steps are not taken."""

    expectation: Expectation
    frame: bytes
