"""Receives the message of a request, within limits of time, of concurrency, and of size when parsed."""

# Rule: a slow request costs its own client, not clients whose requests arrive at once.
# Rule: slow work is done outside of the event loop.

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from grpc import aio

from answerback.language import parts

Context = aio.ServicerContext[Any, Any]

SECONDS: Final = 10.0  # seconds for one request, once its call has begun
CROWD: Final = 6  # max. incomplete requests: 4 MiB each. Beyond that the oldest are dropped,
AT_ONCE: Final = 0.1  # unless they are younger than this: a well-behaved client's request comes in one piece,
MOST: Final = 200  # or there are this many
LARGE: Final = 16 << 10  # bytes from which on a message is parsed in a thread: 5 ms at worst


class RequestUnfinished(Exception):
    """The request's message has not arrived in time."""


class TooManyParts(Exception):
    """A request has more parts than are accepted."""

    def __init__(self) -> None:
        super().__init__(f"the request has more than {parts.MAX_PARTS} fields and list items, which is the maximum")


class MalformedRequest(Exception):
    """The bytes of a request cannot be parsed."""

    def __init__(self, method: str) -> None:
        super().__init__(f"these bytes are not a request of {method[1:]}")


class Receiver:
    """Receives the requests of one server."""

    def __init__(self, seconds: float = SECONDS, crowd: int = CROWD, most: int = MOST) -> None:
        self._seconds = seconds
        self._crowd = crowd
        self._most = most
        self._arriving: dict[asyncio.Timeout, float] = {}  # and when each began, the oldest first

    async def first(self, context: Context, method: str) -> bytes:
        """Return the first message of a call. Raises RequestUnfinished, MalformedRequest."""
        begun = asyncio.get_running_loop().time()
        timeout = asyncio.timeout(self._seconds)
        try:
            async with timeout:
                self._make_room(begun)
                self._arriving[timeout] = begun
                data: Any = await context.read()
        except TimeoutError:
            raise RequestUnfinished(
                f"the request did not arrive within {self._seconds:g} s, or kept others waiting"
            ) from None
        finally:
            self._arriving.pop(timeout, None)
        if data is aio.EOF:
            raise MalformedRequest(method)
        return bytes(data)

    async def parsed(self, data: bytes, method: str, deserialize: Any, kind: Any) -> Any:
        """Return the parsed message. Raises TooManyParts, MalformedRequest."""
        if len(data) < LARGE:
            return _parse(data, method, deserialize, kind)
        return await asyncio.to_thread(_parse, data, method, deserialize, kind)

    async def each(
        self, first: bytes, context: Context, method: str, deserialize: Any, kind: Any
    ) -> AsyncIterator[Any]:
        """Yield the parsed messages of a stream. Raises TooManyParts, MalformedRequest."""
        data: Any = first
        while data is not aio.EOF:
            yield await self.parsed(data, method, deserialize, kind)
            data = await context.read()

    def _make_room(self, now: float) -> None:
        """Drop the oldest incomplete requests."""
        while len(self._arriving) >= self._most:
            oldest = next(iter(self._arriving))
            del self._arriving[oldest]
            oldest.reschedule(now)
        excess = len(self._arriving) + 1 - self._crowd
        for timeout, begun in list(self._arriving.items())[: max(0, excess)]:
            when = timeout.when()
            if when is not None and when > begun + AT_ONCE:
                timeout.reschedule(max(now, begun + AT_ONCE))


def _parse(data: bytes, method: str, deserialize: Any, kind: Any) -> Any:
    try:
        if kind is not None:
            parts.check_parts(data, kind)
        return deserialize(data)
    except parts.TooManyParts:
        raise TooManyParts from None
    except parts.NoMessage:
        raise MalformedRequest(method) from None
    except Exception:  # noqa: BLE001 — a parser may raise anything
        raise MalformedRequest(method) from None
