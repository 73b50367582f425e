"""The step `dribble`."""

from answerback.core.actions import Send
from answerback.core.expressions import Template
from answerback.core.steps.base import Chunks, Step, Wait


def dribble(payload: bytes | memoryview | Template, *, chunks: int = 0, size: int = 0, gap: float) -> Step:
    """Send it in `chunks` pieces, the longer ones first, or in pieces of `size` bytes, with the gap between them."""
    if isinstance(payload, bytes | memoryview):
        return lambda _context: _pieces(payload, chunks, size, gap)
    render = payload.render
    return lambda context: _pieces(render(context), chunks, size, gap)


def _pieces(data: bytes | memoryview, chunks: int, size: int, gap: float) -> Chunks:
    shortest, longer = divmod(len(data), chunks) if chunks else (size, 0)
    at = number = 0
    while at < len(data):
        if at:
            yield Wait(gap)
        end = at + shortest + (number < longer)
        yield Send(data[at:end])
        at, number = end, number + 1
