"""Framing by a length field within the request: Modbus, PostgreSQL, MQTT, LDAP, netstrings, most binary protocols."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from answerback.compat import override
from answerback.core.framing.base import MAX_BATCH, Buffer, Malformed, Stateless
from answerback.core.framing.lengths import INCOMPLETE, Encoding, ReadLength, reader


class LengthPrefixed(bytes):
    """A request that knows where it begins behind its prefix."""

    body: int


@dataclass(frozen=True, slots=True)
class LengthPrefix(Stateless):
    """The prefix is the first `offset` bytes and the length behind them, N: N + `adjust` bytes follow it.

    `width` is the length's number of bytes or digits; `until` is the byte that ends digits, part of the prefix. `strip`
    removes the prefix from the request. A sum below 0 is malformed. Raises ValueError for an offset below 0, and for a
    width or an ending that does not fit the encoding.
    """

    offset: int = 0
    width: int = 0
    encoding: Encoding = Encoding.BIG_ENDIAN
    until: bytes = b""
    adjust: int = 0
    strip: bool = False
    _read: ReadLength = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Validate the fields."""
        if self.offset < 0:
            raise ValueError(f"a length has an offset of 0 or more, not {self.offset}")
        # The dataclass is frozen.
        object.__setattr__(self, "_read", reader(self.encoding, self.width, self.until))

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        requests: list[bytes] = []
        at, size, strip = 0, len(buffer), self.strip
        while len(requests) < MAX_BATCH and at < size:
            try:
                body, end = self._frame(buffer, at)
            except Malformed:
                if requests:
                    break
                raise
            if body == INCOMPLETE or end > size:
                break
            request = LengthPrefixed(buffer[body if strip else at : end])
            request.body = 0 if strip else body - at
            requests.append(request)
            at = end
        return requests, at

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        at = 0
        for _ in range(requests):
            at = self._frame(buffer, at)[1]
        return at

    @override
    def min_length(self, buffer: Buffer) -> int:
        body, end = self._frame(buffer, 0)
        if not self.strip:
            return end
        return 0 if body == INCOMPLETE else end - body

    def min_frame_length(self, buffer: Buffer) -> int:
        """Return a lower bound for the length of the frame, prefix included, that the buffer begins with."""
        return self._frame(buffer, 0)[1]

    def _frame(self, buffer: Buffer, at: int) -> tuple[int, int]:
        """Return where the body of the frame at this position begins, and where the frame ends.

        While the prefix is incomplete, return INCOMPLETE and a lower bound for the end.
        """
        number, body = self._read(buffer, at + self.offset)
        if number == INCOMPLETE:
            return INCOMPLETE, body
        end = body + number + self.adjust
        if end < body:
            raise Malformed(f"the length {number} makes a frame of {end - at} bytes, shorter than its prefix")
        return body, end
