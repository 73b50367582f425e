"""`dribble`: send bytes in pieces."""

from typing import Final

from answerback.compat import override
from answerback.core import steps
from answerback.language import durations, payloads
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Number, Time, Where, describe
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1

MAX_PIECES: Final = 65_536  # of a dribble: each is kept until its time has come


FIELDS = describe(
    v1.Step.Dribble,
    Where.RULE,
    payload=Field("do: [dribble: {payload: {file: reply.bin}, size: 100, gap: 1s}]", words="at most 16 MiB"),
    chunks=Number("do: [dribble: {payload: abc, chunks: 2, gap: 1s}]", least=1, most=MAX_PIECES, unit="pieces"),
    size=Number(
        "do: [dribble: {payload: abc, size: 1, gap: 1s}]",
        words="at most 65536 pieces",
        least=1,
        most=payloads.MAX_BYTES,
        unit="bytes",
    ),
    gap=Time("do: [dribble: {payload: abc, size: 1, gap: 10ms}]"),
)


@STEPS.kind("dribble")
class DribbleKind(StepKind):
    """Send bytes in pieces."""

    fields = FIELDS
    example = r'do: [dribble: {payload: "abcdefgh\n", chunks: 3, gap: 100ms}]'
    sends = True

    def check(self, given: v1.Step.Dribble, path: str, checking: Checking) -> None:
        """Pieces of bounded number, with a gap between them."""
        FIELDS.check(given, path, checking)
        data = checking.content(given.payload, f"{path}.payload") if given.HasField("payload") else None
        kind = given.WhichOneof("pieces")
        if kind is None:
            checking.add(path, payloads.says_nothing(given))
        elif kind == "size" and data is not None and given.size and len(data) > given.size * MAX_PIECES:
            pieces = -(-len(data) // given.size)
            checking.add(f"{path}.size", f"makes {pieces} pieces; the maximum is {MAX_PIECES}")

    @override
    def compile(self, given: v1.Step.Dribble, compiling: Compiling) -> steps.Step:
        if not given.chunks and not given.size:
            raise ValueError("a dribble has no pieces")
        return steps.dribble(
            compiling.shared(given.payload), chunks=given.chunks, size=given.size, gap=durations.seconds(given.gap)
        )
