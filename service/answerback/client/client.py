"""The blocking client."""

import time
from typing import Any, ClassVar, Self

from google.protobuf.message import Message

from answerback.client.base import BaseClient
from answerback.client.faces import Blocking
from answerback.client.transport import Replies, Transport


class Client(BaseClient, Blocking):
    """A client of the admin API of a running server.

        with Client() as client:
            client.update_config(Path("answerback.yaml"), comment="slower")

    `server`: the address of `serve --admin`, `HOST:PORT` or `unix:PATH`. `timeout`: seconds for one request, and for
    a watch to connect again; see `with_timeout`. `wait_for_server`: requests wait that long for a server which is not
    there yet, instead of failing at once. `token`, or the file it is in; it is sent over TLS or to this machine only.
    `ca`: use TLS, and trust these authorities (PEM); `cert` and `key`: the client's own certificate (PEM).

    It connects when it is first used, and again when the connection was lost. It may be used by several threads.
    Raises BadCredentials (a ValueError) for files that cannot be used, and an Error for a call that fails.
    """

    transport: ClassVar[type[Transport]] = Transport
    _transport: Transport

    def close(self) -> None:
        """Close the connection. Calls that wait, streams too, fail."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _call(self, request: Message, *, longer: float = 0.0) -> Any:
        return self._transport.call(request, self._within(longer), wait=self._wait)

    def _open(self, request: Message) -> "_Replies":
        return _Replies(self._transport.stream(request, wait=self._wait))

    async def _connect(self, timeout: float | None) -> None:  # noqa: ASYNC109 - gRPC keeps it
        self._transport.connect(timeout)

    async def _pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251, TID251 - nothing else runs, see faces.run


class _Replies:
    """The replies of a stream, for calls that await."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    async def next(self) -> Any:
        """Wait for the next reply; None after the last. Raises Error."""
        return self._replies.next()

    def cancel(self) -> None:
        """End it, without waiting for the server."""
        self._replies.cancel()
