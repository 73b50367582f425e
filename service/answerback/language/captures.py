"""The captures of a rule's patterns, for its expressions."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from answerback.core import pattern_syntax, patterns

# Rule: the captures are those of the pattern that made the rule match; one inside `not` never does.


@dataclass(frozen=True, slots=True)
class Captures:
    """The names of groups, and how many groups there are at most."""

    names: frozenset[str] = frozenset()
    groups: int = 0


class _Anything(frozenset[str]):
    """Has every name."""

    __slots__ = ()

    def __contains__(self, _name: object) -> bool:
        return True


_NAMED = re.compile(rb"\(\?P?<([^>]*)>")

NONE = Captures()
UNKNOWN = Captures(_Anything(), 1 << 20)  # so that a wrong pattern is one problem, and not one of each template too


def united(found: Iterable[Captures]) -> Captures:
    """The captures of several conditions."""
    each = list(found)
    if UNKNOWN in each:
        return UNKNOWN
    names = frozenset[str]().union(*(captures.names for captures in each))
    return Captures(names, max((captures.groups for captures in each), default=0))


def captures_in(pattern: str) -> Captures | None:
    """The captures of a pattern; None if RE2 rejects it."""
    try:
        compiled = patterns.compile(pattern)
    except patterns.PatternError:
        return None
    return Captures(frozenset(name.decode("utf-8", "replace") for name in compiled.groupindex), compiled.groups)


def twice_named(pattern: str) -> list[str]:
    """Names that a pattern, which RE2 takes, gives to more than one group."""
    named = (_NAMED.fullmatch(token) for token in pattern_syntax.tokens(pattern) if token.startswith(b"(?"))
    counts = Counter(found[1].decode() for found in named if found)
    return [name for name, count in counts.items() if count > 1]
