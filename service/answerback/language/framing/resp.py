"""`resp`: a command of Redis (RESP2): an array of bulk strings, or a line."""

from answerback.compat import override
from answerback.core.expressions import Type
from answerback.core.framing import Framing, Resp, RespReplies, fields
from answerback.language.context import Compiling
from answerback.language.expressions import FramingField
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("resp")
class RespKind(FramingKind):
    """A command of Redis (RESP2): an array of bulk strings, or a line."""

    runtime = Resp
    example = "framing: resp"
    provides = (
        FramingField(
            "resp.args",
            Type.BYTES,
            fields.resp_argument,
            "an argument of the command, from 0, its name; of the first 20,000; a negative index counts from the end",
            "resp.args[1]",
            "key",
            index=True,
            weight=64,
        ),
    )
    sample = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"

    replies_runtime = RespReplies

    @override
    def compile(self, given: v1.Framing.Resp, compiling: Compiling) -> Framing:
        return Resp()

    @override
    def compile_for_replies(self, given: v1.Framing.Resp, compiling: Compiling) -> Framing:
        return RespReplies()
