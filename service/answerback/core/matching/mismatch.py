"""The explaining counterparts of the matches, under the names of the matches."""

from answerback.core.matching.combinations import why_not_all as all_of
from answerback.core.matching.combinations import why_not_any as any_of
from answerback.core.matching.combinations import why_not_none as none_of
from answerback.core.matching.expressions import why_not_found as regex
from answerback.core.matching.literals import why_no_prefix as prefix
from answerback.core.matching.literals import why_no_suffix as suffix
from answerback.core.matching.literals import why_not_contained as contains
from answerback.core.matching.literals import why_not_equal as equals
from answerback.core.matching.masked import why_other_bytes as byte_string
from answerback.core.matching.numbers import why_other_number as request_number
from answerback.core.matching.numbers import why_other_size as size
from answerback.core.matching.peers import why_other_peer as peer

# Rule: an explanation is None exactly where its match succeeds. It may be slow: it is not used for serving.

__all__ = [
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
