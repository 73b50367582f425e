"""The kinds of match: a file for each; `base` is what they share."""

from answerback.language.matching.base import (
    MATCHES,
    MatchKind,
    captures_of,
    check_behind,
    check_match,
    compile_match,
    explain_match,
    takes_all,
)

__all__ = [
    "MATCHES",
    "MatchKind",
    "captures_of",
    "check_behind",
    "check_match",
    "compile_match",
    "explain_match",
    "takes_all",
]

MATCHES.load(__name__, __path__)
