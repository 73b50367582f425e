"""Requests over gRPC's channel for asyncio."""

from typing import Any

import grpc
from google.protobuf.message import Message
from grpc import aio

from answerback.client.channel import Access
from answerback.client.errors import answered, failure
from answerback.client.rpcs import HealthRequest, stream_method, unary_method


class Replies:
    """The replies of a stream, as they come."""

    def __init__(self, call: Any, server: str) -> None:
        self._call = call
        self._server = server

    async def next(self) -> Any:
        """Wait for the next reply; None after the last. Raises Error."""
        try:
            reply = await self._call.read()
        except grpc.RpcError as error:
            raise failure(error, self._server) from None
        return None if reply is aio.EOF else reply

    def cancel(self) -> None:
        """End it, without waiting for the server."""
        self._call.cancel()


class Transport:
    """One connection, made in the event loop that first needs it, and again when it was lost."""

    def __init__(self, access: Access) -> None:
        """Raises BadCredentials."""
        self._server = access.server
        self._options = access.options()
        self._metadata = access.metadata()
        self._credentials = access.credentials()
        self._made: aio.Channel | None = None

    @property
    def _channel(self) -> aio.Channel:
        if self._made is None:
            if self._credentials is None:
                self._made = aio.insecure_channel(self._server, options=self._options)
            else:
                self._made = aio.secure_channel(self._server, self._credentials, options=self._options)
        return self._made

    async def call(self, request: Message, timeout: float | None, *, wait: bool = False) -> Any:  # noqa: ASYNC109 - gRPC's
        """Return the reply. `wait`: for a server, if there is none yet, instead of failing at once. Raises Error."""
        method = unary_method(self._channel, request)
        try:
            return await method(request, timeout=timeout, metadata=self._metadata, wait_for_ready=wait)
        except grpc.RpcError as error:
            raise failure(error, self._server) from None

    def stream(self, request: Message, *, wait: bool = False) -> Replies:
        """Begin a stream of replies. Needs a running event loop."""
        method = stream_method(self._channel, request)
        return Replies(method(request, metadata=self._metadata, wait_for_ready=wait), self._server)

    async def connect(self, timeout: float | None) -> None:  # noqa: ASYNC109 - as for a call
        """Wait until the server answers. Raises DeadlineExceeded."""
        with answered():
            await self.call(HealthRequest(), timeout, wait=True)

    async def close(self) -> None:
        """End the connection, and every call on it."""
        if self._made is not None:
            await self._made.close()
