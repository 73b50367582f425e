"""How bytes become requests, one file per framing. `base` has the interface, `incremental` the incremental framings."""

from answerback.core.framing.automaton import places
from answerback.core.framing.base import MAX_BATCH, Buffer, Framing, Malformed
from answerback.core.framing.delimiter import Delimiter
from answerback.core.framing.dot_stuffed import DotStuffed
from answerback.core.framing.fixed import Fixed
from answerback.core.framing.http import Http
from answerback.core.framing.http_replies import HttpReplies
from answerback.core.framing.idle import Idle
from answerback.core.framing.length_prefix import LengthPrefix
from answerback.core.framing.lengths import Encoding
from answerback.core.framing.line import Line
from answerback.core.framing.pattern import Pattern, check_pattern
from answerback.core.framing.read import Read
from answerback.core.framing.resp import Resp
from answerback.core.framing.resp_replies import RespReplies
from answerback.core.framing.until_eof import UntilEof
from answerback.core.framing.websocket import WebSocket

# Rule: except for `read` and `idle`, the requests do not depend on how the stream was cut into reads.
# Rule: a framing is shared by all connections and stateless; what `new_framer` returns belongs to one connection.
# Rule: whatever a peer sends, only Malformed is raised; a byte costs the same however it is delivered.
# Rule: one framing, one file, one test.

__all__ = [
    "MAX_BATCH",
    "Buffer",
    "Delimiter",
    "DotStuffed",
    "Encoding",
    "Fixed",
    "Framing",
    "Http",
    "HttpReplies",
    "Idle",
    "LengthPrefix",
    "Line",
    "Malformed",
    "Pattern",
    "Read",
    "Resp",
    "RespReplies",
    "UntilEof",
    "WebSocket",
    "check_pattern",
    "places",
]
