"""`resp`: a command of Redis (RESP2): an array of bulk strings, or a line."""

from answerback.compat import override
from answerback.core import framing as core
from answerback.language.context import Compiling
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("resp")
class RespKind(FramingKind):
    """A command of Redis (RESP2): an array of bulk strings, or a line."""

    runtime = core.Resp
    example = "framing: resp"

    @override
    def compile(self, given: v1.Framing.Resp, compiling: Compiling) -> core.Framing:
        return core.Resp()
