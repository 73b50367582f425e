"""What the expressions of a rule can refer to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from answerback.language.captures import NONE, Captures
from answerback.language.expressions.names import FramingField


def _accept(_pattern: str) -> None:
    """Any pattern will do: it has been checked."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of one rule, at one place in it."""

    captures: Captures = NONE
    """Those of the patterns that have matched."""
    event: str | None = None
    """The word of an event that brings no request; None for a request."""
    fields: Mapping[str, FramingField] = field(default_factory=dict)
    """What the framings of the listener provide."""
    rule: str = ""
    """What the rule is counted under."""
    accept_pattern: Callable[[str], None] = _accept
    """Counts a pattern. Raises ValueError for one that is too large."""
