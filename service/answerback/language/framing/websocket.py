"""`websocket`: a request is the payload of one WebSocket frame."""

from answerback.compat import override
from answerback.core import framing as core
from answerback.language.context import Compiling
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("websocket")
class WebSocketKind(FramingKind):
    """A request is the payload of one WebSocket frame."""

    runtime = core.WebSocket
    example = "framing: websocket"

    @override
    def compile(self, given: v1.Framing.WebSocket, compiling: Compiling) -> core.Framing:
        return core.WebSocket()

    def waits_for(self, framing: core.WebSocket, buffer: core.Buffer, missing: int) -> str:
        """Count the bytes of the frame's head, too."""
        missing = framing.min_frame_length(buffer) - len(buffer)
        return f"at least {missing} more byte{'s' * (missing > 1)}"
