"""Framing by a line that is a dot: the bodies of SMTP, POP3 and NNTP (RFC 5321, 4.5.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from answerback.compat import override
from answerback.core.framing.base import Buffer
from answerback.core.framing.incremental import IncrementalFramer, IncrementalFraming, ParseState

START, LINES = range(2)

FINAL_LINE: Final = re.compile(rb"\n\.\r?\n")


@dataclass(frozen=True, slots=True)
class DotStuffed(IncrementalFraming):
    """A request ends at a line that is `.`, also if it is the first; that line is not part of it.

    The request keeps the end of every line. A dot at the start of a line is removed unless `keep`.
    """

    keep: bool = False

    @override
    def new_framer(self) -> IncrementalFramer:
        return _DotStuffedFramer(self)

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        return self.new_framer().split(buffer, 0)

    @override
    def parse(self, buffer: Buffer, begin: int, state: ParseState) -> int:
        """Keep in `state.left` the number of dots that were removed so far."""
        size = len(buffer) - begin
        if state.stage == START:
            first = bytes(buffer[begin : begin + 3])
            if first.startswith((b".\n", b".\r\n")):
                return begin + first.index(b"\n") + 1
            if first in (b".", b".\r"):
                return 0
            state.stage = LINES
            state.left = first.startswith(b".") and not self.keep
        found = FINAL_LINE.search(buffer, begin + max(0, state.seen - 3))
        if found is not None:
            return found.end()
        if not self.keep:
            state.left += buffer.count(b"\n.", begin + max(0, state.seen - 1))
        state.seen = size
        state.min_length = size - state.left - self._final_so_far(buffer)
        return 0

    def _final_so_far(self, buffer: Buffer) -> int:
        """Return how many bytes at the end may belong to the final line; a dot that was removed does not count."""
        if buffer.endswith(b"\n.\r"):
            return 1 + self.keep
        return int(self.keep and buffer.endswith(b"\n."))

    def content(self, frame: bytes) -> bytes:
        """Return the request in a whole frame: without the final line, the dots removed."""
        content = frame[: -3 if frame.endswith(b".\r\n") else -2]
        if self.keep or b"." not in content:
            return content
        return content.removeprefix(b".").replace(b"\n.", b"\n")


class _DotStuffedFramer(IncrementalFramer):
    """Parses one connection's stream and takes the requests out of their frames."""

    __slots__ = ("_content",)

    def __init__(self, framing: DotStuffed) -> None:
        super().__init__(framing.parse)
        self._content = framing.content

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        frames, end = super().split(buffer, searched)
        return [self._content(frame) for frame in frames], end
