"""How bytes become requests: a file for each way; `base` is what all share, `walking` what those of many parts do."""

from answerback.core.framing.automaton import places
from answerback.core.framing.base import MOST, Buffer, Framing, Malformed
from answerback.core.framing.delimiter import Delimiter
from answerback.core.framing.fixed import Fixed
from answerback.core.framing.http import Http
from answerback.core.framing.idle import Idle
from answerback.core.framing.length_prefix import LengthPrefix
from answerback.core.framing.line import Line
from answerback.core.framing.pattern import Pattern, check_pattern
from answerback.core.framing.read import Read
from answerback.core.framing.resp import Resp
from answerback.core.framing.until_eof import UntilEof

# Rule: cutting never matters: but for `read` and `idle`, any pieces of a stream give the same requests.
# Rule: a framing is shared by all its connections and keeps nothing of them; what `begin` returns is one connection's.
# Rule: whatever a peer sends, nothing is raised but Malformed; and a byte costs the same however it is delivered.
# Rule: one framing, one file, one test.

__all__ = [
    "MOST",
    "Buffer",
    "Delimiter",
    "Fixed",
    "Framing",
    "Http",
    "Idle",
    "LengthPrefix",
    "Line",
    "Malformed",
    "Pattern",
    "Read",
    "Resp",
    "UntilEof",
    "check_pattern",
    "places",
]
