"""Matches: which requests a rule applies to."""

from answerback.core.matching.base import Explainer, Matcher, Mismatch
from answerback.core.matching.byte_ranges import byte_range
from answerback.core.matching.combinations import all_of, any_of, none_of
from answerback.core.matching.expression import expression
from answerback.core.matching.literals import contains, equals, prefix, suffix
from answerback.core.matching.numbers import request_number, size
from answerback.core.matching.peers import peer
from answerback.core.matching.regexes import regex

# Rule: one match, one function, one test; a second function beside it explains a mismatch (`mismatch`).
# Rule: a match is a function of the request and its context, and keeps no state.
# Rule: a match that fails leaves the context as it was. One that succeeds may set its captures, and nothing else.
# Rule: whatever a peer sends, a match takes linear time and raises nothing.

__all__ = [
    "Explainer",
    "Matcher",
    "Mismatch",
    "all_of",
    "any_of",
    "byte_range",
    "contains",
    "equals",
    "expression",
    "none_of",
    "peer",
    "prefix",
    "regex",
    "request_number",
    "size",
    "suffix",
]
