"""How one definition of a call becomes a method that blocks, and a method to await."""

# Rule: what a blocking client awaits never suspends; so one step runs a coroutine to its end.

import functools
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from google.protobuf.message import Message

from answerback.client import values
from answerback.client.errors import DeadlineExceeded, Error, OutOfRange, Unavailable

FIRST_PAUSE: Final = 0.02  # seconds before a stream begins again: a server that stops may refuse it many times
LONGEST_PAUSE: Final = 1.0
MAX_PAGE: Final = 1000  # items; the server sends no more at once

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")


class Replies(Protocol):
    """The replies of a stream, blocking or not."""

    async def next(self) -> Any:
        """Wait for the next reply; None after the last. Raises Error."""

    def cancel(self) -> None:
        """End it, without waiting for the server."""


class Caller(ABC):
    """What a client offers to the calls."""

    @abstractmethod
    async def _call(self, request: Message, *, longer: float = 0.0) -> Any:
        """Send a request; return the reply. `longer`: seconds that the server may take on top. Raises Error."""

    @abstractmethod
    def _open(self, request: Message) -> Replies:
        """Send a request for a stream of replies."""

    @abstractmethod
    async def _connect(self, timeout: float | None) -> None:  # noqa: ASYNC109 - gRPC keeps it
        """Wait for a connection. Raises DeadlineExceeded."""

    @abstractmethod
    async def _pause(self, seconds: float) -> None:
        """Wait."""

    @abstractmethod
    def _patience(self) -> float | None:
        """Return the seconds within which a stream that was lost has to begin again; None for any."""

    async def _value(self, cls: type[T], request: Message, *, longer: float = 0.0) -> T:  # noqa: ARG002 - for types
        result: T = values.value(await self._call(request, longer=longer))
        return result

    async def _pages(self, request: Any, field: str, limit: int | None = None) -> list[Any]:
        """Request one page after the other; return the values of this repeated field, at most `limit`."""
        found: list[Any] = []
        while limit is None or len(found) < limit:
            if limit is not None:
                request.page_size = min(limit - len(found), MAX_PAGE)
            page = await self._call(request)
            found += map(values.value, getattr(page, field))
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        return found


class Blocking(Caller):
    """A client whose methods return results."""


class Awaiting(Caller):
    """A client whose methods return coroutines."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that does not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking client cannot wait for an event loop")


class call(Generic[P, T]):  # noqa: N801 - a decorator
    """Makes a method of a coroutine function."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self._function = function
        functools.update_wrapper(cast(Any, self), function)

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, client: Caller | None, owner: type) -> Any:
        if client is None:
            return self
        if isinstance(client, Awaiting):
            return functools.partial(self._function, client)
        return lambda *args, **named: run(self._function(client, *args, **named))


class stream(Generic[P, T]):  # noqa: N801 - a decorator
    """Makes a method of a function that returns a Feed."""

    def __init__(self, function: Callable[Concatenate[Any, P], "Feed[T]"]) -> None:
        self._function = function
        functools.update_wrapper(cast(Any, self), function)

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, "Stream[T]"]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, "AsyncStream[T]"]: ...

    def __get__(self, client: Caller | None, owner: type) -> Any:
        if client is None:
            return self
        face = AsyncStream if isinstance(client, Awaiting) else Stream
        return lambda *args, **named: face(self._function(client, *args, **named))


class Feed(Generic[T]):
    """The values of a stream. It begins when it is made.

    `again`: returns the request that goes on after the last reply, when the connection was lost. Without it, the
    stream ends with the connection.
    """

    def __init__(
        self,
        caller: Caller,
        request: Message,
        convert: Callable[[Any], T],
        again: Callable[[Any, Exception], Message] | None = None,
    ) -> None:
        self._caller = caller
        self._convert = convert
        self._again = again
        self._last: Any = None
        self._replies: Replies = caller._open(request)  # noqa: SLF001 - calls and clients are one

    async def next(self) -> T:
        """Wait for the next value. Raises StopAsyncIteration after the last one, or Error."""
        lost: _Lost | None = None
        while True:
            try:
                reply = await self._replies.next()
            except (Unavailable, OutOfRange) as error:
                if self._again is None or (isinstance(error, OutOfRange) and lost is None):
                    raise
                lost = lost or _Lost(self._caller._patience())  # noqa: SLF001 - as above
                await self._reopen(self._again(self._last, error), lost, error)
            else:
                if reply is None:
                    raise StopAsyncIteration
                self._last = reply
                return self._convert(reply)

    async def _reopen(self, request: Message, lost: "_Lost", error: Error) -> None:
        """Begin again, when there is a connection. Raises `error` if there is none in time."""
        self._replies.cancel()
        pause = lost.pause(error)
        await self._caller._pause(pause)  # noqa: SLF001 - as above
        try:
            await self._caller._connect(lost.left())  # noqa: SLF001 - as above
        except DeadlineExceeded:
            raise error from None
        self._replies = self._caller._open(request)  # noqa: SLF001 - as above

    async def last(self) -> T:
        """Wait for the end; return the last value. Raises Error, also if there was none."""
        value: list[T] = []
        while True:
            try:
                value[:] = [await self.next()]
            except StopAsyncIteration:
                break
        if not value:
            raise Error("the stream ended without a value")
        return value[0]

    def close(self) -> None:
        """End it. What the server has begun goes on."""
        self._replies.cancel()


class _Lost:
    """The time since a stream was lost: how long to try, and to wait between attempts."""

    def __init__(self, patience: float | None) -> None:
        self._patience = patience
        self._since = time.monotonic()
        self._pauses = 0

    def left(self) -> float | None:
        """Return the seconds that are left; None for any."""
        return None if self._patience is None else max(0.0, self._since + self._patience - time.monotonic())

    def pause(self, error: Error) -> float:
        """Return the seconds to wait before the next attempt. Raises the error that ended the last one at the end."""
        left = self.left()
        if left == 0.0:
            raise error
        self._pauses += 1
        pause = min(FIRST_PAUSE * 2.0 ** (self._pauses - 1), LONGEST_PAUSE)
        return pause if left is None else min(pause, left)


class Stream(Iterator[T]):
    """An iterator over what comes; `close` it, or use it with `with`, to end it early."""

    def __init__(self, feed: Feed[T]) -> None:
        self._feed = feed

    def __next__(self) -> T:
        try:
            return run(self._feed.next())
        except StopAsyncIteration:
            raise StopIteration from None

    def result(self) -> T:
        """Wait for the end; return the last value."""
        return run(self._feed.last())

    def close(self) -> None:
        """End it. What the server has begun goes on."""
        self._feed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncStream(AsyncIterator[T]):
    """An asynchronous iterator over what comes; `close` it, or use it with `async with`, to end it early."""

    def __init__(self, feed: Feed[T]) -> None:
        self._feed = feed

    async def __anext__(self) -> T:
        return await self._feed.next()

    async def result(self) -> T:
        """Wait for the end; return the last value."""
        return await self._feed.last()

    async def close(self) -> None:
        """End it. What the server has begun goes on."""
        self._feed.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
