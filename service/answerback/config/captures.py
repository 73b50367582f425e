"""What the patterns of a rule capture, for the templates of its steps."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core import pattern_syntax, patterns
from answerback.v1 import config_pb2 as v1

# Rule: the captures are those of the pattern that made the rule match; one beneath `not` never does.


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


def captures_of(match: v1.Match) -> Captures:
    """What a template may look up: anything, if RE2 refuses a pattern."""
    found = [captures_in(pattern) or UNKNOWN for pattern in _patterns(match)]
    if UNKNOWN in found:
        return UNKNOWN
    names = frozenset[str]().union(*(each.names for each in found))
    return Captures(names, max((each.groups for each in found), default=0))


def captures_in(pattern: str) -> Captures | None:
    """What a pattern captures; None for one that RE2 refuses."""
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


def _patterns(match: v1.Match) -> Iterator[str]:
    pending = [match]
    while pending:
        current = pending.pop()
        kind = current.WhichOneof("kind")
        if kind == "regex":
            yield current.regex
        elif kind in {"all", "any"}:
            pending.extend(getattr(current, kind).of)
