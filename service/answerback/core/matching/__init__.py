"""Which requests a rule is for."""

from answerback.core.matching.base import Matcher, Miss, Reason
from answerback.core.matching.combinations import all_of, any_of, none_of
from answerback.core.matching.expressions import regex
from answerback.core.matching.literals import contains, equals, prefix, suffix
from answerback.core.matching.masked import byte_string
from answerback.core.matching.numbers import request_number, size
from answerback.core.matching.peers import peer

# Rule: one match, one function, one test; and beside it another function, which says why it does not hold (`misses`).
# Rule: a match is a function of the request and its turn, and keeps nothing of them.
# Rule: a match that does not hold leaves the turn as it was. One that holds may set its captures, and nothing else.
# Rule: whatever a peer sends, a match takes linear time and raises nothing.

__all__ = [
    "Matcher",
    "Miss",
    "Reason",
    "all_of",
    "any_of",
    "byte_string",
    "contains",
    "equals",
    "none_of",
    "peer",
    "prefix",
    "regex",
    "request_number",
    "size",
    "suffix",
]
