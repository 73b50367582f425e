"""`dribble`: send bytes in pieces."""

from typing import Final

from answerback.core import steps
from answerback.language import durations, payloads
from answerback.language.context import Checking, Compiling
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1

MAX_PIECES: Final = 65_536  # of a dribble: each is kept until its time has come


@STEPS.kind("dribble")
class DribbleKind(StepKind):
    """Send bytes in pieces."""

    example = "dribble: {payload: slowly, size: 1, gap: 100ms}"
    sends = True

    def check(self, given: v1.Step.Dribble, path: str, checking: Checking) -> None:
        """Pieces of bounded number, with a gap between them."""
        data = checking.content(given.payload, f"{path}.payload") if given.HasField("payload") else None
        kind = given.WhichOneof("pieces")
        if kind is None:
            checking.add(path, payloads.says_nothing(given))
        elif kind == "chunks":
            checking.between(given.chunks, 1, MAX_PIECES, f"{path}.chunks")
        else:
            checking.between(given.size, 1, payloads.MAX_BYTES, f"{path}.size")
            if data is not None and given.size and len(data) > given.size * MAX_PIECES:
                pieces = -(-len(data) // given.size)
                checking.add(f"{path}.size", f"makes {pieces} pieces; there can be {MAX_PIECES}")
        if given.HasField("gap"):
            checking.duration(given.gap, f"{path}.gap")

    def compile(self, given: v1.Step.Dribble, compiling: Compiling) -> steps.Step:
        """Make the step."""
        if not given.chunks and not given.size:
            raise ValueError("a dribble has no pieces")
        return steps.dribble(
            compiling.content(given.payload), chunks=given.chunks, size=given.size, gap=durations.seconds(given.gap)
        )
