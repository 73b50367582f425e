"""Limits on concurrent calls by kind, so that calls of one kind cannot block those of another."""

# Rule: calls beyond a limit are rejected at once; only a watch waits, as a late event is better than an error.
# Rule: a call counts until gRPC is done with it: a response that its client does not read is kept until then.

import asyncio
from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Final

from answerback.control.authorisation import READ_METHODS
from answerback.control.schema import HEALTH, REFLECTION


class Kind(Enum):
    """The kinds of calls; the value is the name in error messages."""

    PROBE = "health checks"
    READ = "reads"
    CHANGE = "changes"
    WATCH = "watches"
    WAIT = "waits for exchanges"
    HEALTH_WATCH = "health watches"
    REFLECTION = "reflection streams"


# A read is answered in a millisecond, a change may wait 5 s for a worker, a watch has no end.
MOST: Final[Mapping[Kind, int]] = {
    Kind.PROBE: 100,
    Kind.READ: 100,
    Kind.CHANGE: 100,
    Kind.WATCH: 100,
    Kind.WAIT: 100,
    Kind.HEALTH_WATCH: 100,
    Kind.REFLECTION: 20,
}
STREAMS: Final = 104  # calls per connection; HTTP/2 queues further ones; each costs 8 KiB of metadata
CALL_BYTES: Final = 12 << 20  # bytes that calls of one kind hold; each costs three: ours, gRPC's, and the message
WAIT_METHOD: Final = "/answerback.v1.JournalService/WaitForExchanges"
ROOM_SECONDS: Final = 30.0  # seconds that a watch waits for other clients to read


class TooManyCalls(Exception):
    """The limit of concurrent calls of a kind is reached."""

    def __init__(self, kind: Kind, most: int) -> None:
        super().__init__(f"{most} {kind.value} at a time is the maximum; try again later")


class TooManyBytes(Exception):
    """The limit of bytes in requests in progress and unread responses of a kind is reached."""

    def __init__(self, kind: Kind, most: int) -> None:
        super().__init__(f"{kind.value} in progress hold {most} bytes, which is the maximum; try again later")


class CallShare:
    """A call's share of the limits: one call of its kind, and the bytes of its request or of an unread response."""

    def __init__(self, limits: "Limits", kind: Kind) -> None:
        self._limits = limits
        self._kind = kind
        self._bytes = 0
        self._over = False

    def reserve(self, size: int) -> None:
        """Add `size` bytes. Raises TooManyBytes."""
        if not self._limits.has_room(self._kind, size):
            raise TooManyBytes(self._kind, self._limits.call_bytes)
        self._count(size)

    async def reserve_when_free(self, size: int) -> None:
        """Wait for room, then add `size` bytes. Raises TooManyBytes after ROOM_SECONDS."""
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                while not self._limits.has_room(self._kind, size):
                    await self._limits.more_room()
        except TimeoutError:
            raise TooManyBytes(self._kind, self._limits.call_bytes) from None
        self._count(size)

    def release(self) -> None:
        """Release the bytes."""
        self._count(-self._bytes)

    def leave(self) -> None:
        """Release everything; may be called again."""
        if not self._over:
            self.release()
            self._over = True
            self._limits.leave(self._kind)

    def _count(self, size: int) -> None:
        if not self._over:
            self._bytes += size
            self._limits.count_bytes(self._kind, size)


class Limits:
    """Counts the calls in progress, and their bytes."""

    def __init__(self, most: Mapping[Kind, int] = MOST, call_bytes: int = CALL_BYTES) -> None:
        self.call_bytes = call_bytes
        self._most = most
        self._now: Counter[Kind] = Counter()
        self._bytes: Counter[Kind] = Counter()
        self._waiting: list[asyncio.Future[None]] = []
        self._answer = b""
        self._sizes: dict[str, int] = {}

    def enter(self, kind: Kind) -> CallShare:
        """Count a call. Raises TooManyCalls."""
        if self._now[kind] >= self._most[kind]:
            raise TooManyCalls(kind, self._most[kind])
        self._now[kind] += 1
        return CallShare(self, kind)

    def leave(self, kind: Kind) -> None:
        """A call is over."""
        self._now[kind] -= 1

    def has_room(self, kind: Kind, size: int) -> bool:
        """Whether a call may hold `size` more bytes now; always, if no other call holds any."""
        return not self._bytes[kind] or self._bytes[kind] + size <= self.call_bytes

    def expect_answer(self, kind: Kind, method: str) -> None:
        """Check that there is room for a response as large as the method's last one. Raises TooManyBytes.

        So a flood of large responses that are not read costs no work.
        """
        if not self.has_room(kind, self._sizes.get(method, 0)):
            raise TooManyBytes(kind, self.call_bytes)

    def note_answer(self, method: str, size: int) -> None:
        """Remember the size of a method's last response."""
        self._sizes[method] = size

    def shared(self, answer: bytes) -> bytes:
        """Return the same bytes, deduplicated with the previous response: watches send equal ones."""
        if answer != self._answer:
            self._answer = answer
        return self._answer

    def count_bytes(self, kind: Kind, size: int) -> None:
        """Add `size` to the bytes held; negative to release."""
        self._bytes[kind] += size
        if size < 0:
            for each in self._waiting:
                if not each.done():
                    each.set_result(None)
            self._waiting.clear()

    async def more_room(self) -> None:
        """Wait until some bytes have been released."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting


def kind_of(method: str, *, streaming: bool) -> Kind:
    """Return the kind of a method (`/package.Service/Method`); `streaming`: its response is a stream."""
    service = method[1:].partition("/")[0]
    if service in REFLECTION:
        return Kind.REFLECTION
    if service == HEALTH:
        return Kind.HEALTH_WATCH if streaming else Kind.PROBE
    if method == WAIT_METHOD:
        return Kind.WAIT
    if method not in READ_METHODS:
        return Kind.CHANGE
    return Kind.WATCH if streaming else Kind.READ
