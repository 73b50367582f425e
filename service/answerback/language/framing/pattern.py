"""`pattern`: a match of a pattern ends a request."""

from collections.abc import Iterator
from typing import Final

from answerback.compat import override
from answerback.core.framing import Buffer, Framing, Pattern, check_pattern, places
from answerback.core.patterns import PatternError
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.language.registry import Text
from answerback.v1 import config_pb2 as v1

INSTRUCTIONS_OF_A_PLACE: Final = 8  # an automaton of our own with 250 takes 4 ms to make, as 4,000 instructions of RE2

FIELDS = describe(
    v1.Framing.Pattern,
    Where.LISTENER,
    end=Field(
        "framing: {pattern: {end: '[.!?]'}}",
        words=r"RE2 without `^`, `$`, `\b`, `\B`, `\A`, `\z`, which look beside the match; "
        r"it names 1 to 256 bytes, see [patterns](patterns.md)",
    ),
)


@FRAMINGS.kind("pattern")
class PatternKind(FramingKind):
    """A match of a pattern ends a request."""

    runtime = Pattern
    fields = FIELDS
    example = r"framing: {pattern: {end: '\x0110=[0-9]{3}\x01'}}"

    def check(self, given: v1.Framing.Pattern, path: str, checking: Checking) -> None:
        """A pattern that RE2 takes and that can end a request."""
        if not given.end or not checking.pattern(given.end, f"{path}.end"):
            return
        positions = places(given.end)
        checking.problems.pattern(f"{path}.end", INSTRUCTIONS_OF_A_PLACE * positions)
        try:
            check_pattern(given.end)
        except PatternError as problem:
            checking.add(f"{path}.end", str(problem))

    @override
    def compile(self, given: v1.Framing.Pattern, compiling: Compiling) -> Framing:
        return Pattern(given.end)

    def describe(self, framing: Pattern) -> str:
        """With the pattern."""
        return f"pattern {framing.pattern}"

    def waits_for(self, framing: Pattern, buffer: Buffer, missing: int) -> str:  # noqa: ARG002 - one answer
        """Its end."""
        return f"{framing.pattern} does not match yet"

    def texts(self, given: v1.Framing.Pattern, path: str) -> Iterator[Text]:
        """The pattern."""
        yield Text(f"{path}.end", given.end, r"write \x{} in the pattern")
