"""`websocket`: a request is the payload of one WebSocket frame."""

from answerback.compat import override
from answerback.core.expressions import Reads, Type
from answerback.core.framing import Buffer, Framing, WebSocket, fields
from answerback.language.context import Compiling
from answerback.language.expressions import FramingField
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("websocket")
class WebSocketKind(FramingKind):
    """A request is the payload of one WebSocket frame."""

    runtime = WebSocket
    example = "framing: websocket"
    provides = (
        FramingField(
            "frame.opcode",
            Type.INT,
            fields.frame_opcode,
            "the opcode: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong",
            "frame.opcode",
            "1",
            reads=Reads.FRAMING,
        ),
        FramingField(
            "frame.fin",
            Type.BOOL,
            fields.frame_fin,
            "whether the frame is the last one of its message",
            "'last' if frame.fin else 'more'",
            "last",
            reads=Reads.FRAMING,
        ),
    )
    sample = bytes.fromhex("81 85 37fa213d 7f9f4d5158")

    @override
    def compile(self, given: v1.Framing.WebSocket, compiling: Compiling) -> Framing:
        return WebSocket()

    @override
    def not_for_replies(self, given: v1.Framing.WebSocket) -> str:
        return "a server's frames are not masked, and begin behind its HTTP response"

    def waits_for(self, framing: WebSocket, buffer: Buffer, missing: int) -> str:
        """Count the bytes of the frame's head, too."""
        missing = framing.min_frame_length(buffer) - len(buffer)
        return f"at least {missing} more byte{'s' * (missing > 1)}"
