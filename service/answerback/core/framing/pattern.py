"""Framing by a pattern that matches the end of a request: FIX and its checksum, prompts."""

from dataclasses import dataclass, field

from answerback.compat import override
from answerback.core import patterns
from answerback.core.framing.automaton import Automaton
from answerback.core.framing.base import Buffer
from answerback.core.framing.incremental import IncrementalFraming, ParseState
from answerback.core.pattern_syntax import ASSERTIONS, tokens


def check_pattern(pattern: str) -> Automaton:
    r"""Compile the pattern that ends a request; reject one that cannot.

    Raises patterns.PatternError: for a pattern that is too large or that RE2 rejects; for `^ $ \A \z \b \B`, which
    depend on bytes beside the match that may not have arrived yet; and for a pattern that matches without a byte.
    """
    patterns.compile(pattern, captures=False)
    for token in tokens(pattern):
        if token in ASSERTIONS:
            raise patterns.PatternError(f"{token.decode()} cannot be used where a pattern ends a request")
    automaton = Automaton(pattern)
    if automaton.may_be_empty:
        raise patterns.PatternError("matches the empty string, so it would end a request before its first byte")
    return automaton


@dataclass(frozen=True, slots=True)
class Pattern(IncrementalFraming):
    """A request ends with the first byte that makes the pattern match, which is part of it.

    Each byte is looked at once, whatever the pattern. Raises patterns.PatternError as `check_pattern` does.
    """

    pattern: str
    _automaton: Automaton = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile it."""
        # The dataclass is frozen.
        object.__setattr__(self, "_automaton", check_pattern(self.pattern))

    @override
    def parse(self, buffer: Buffer, begin: int, state: ParseState) -> int:
        return self._automaton.parse(buffer, begin, state)
