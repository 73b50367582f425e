"""Requests over a blocking channel of gRPC."""

from typing import Any

import grpc
from google.protobuf.message import Message

from answerback.client.channel import Access
from answerback.client.errors import answered, failure
from answerback.client.rpcs import HealthRequest, stream_method, unary_method


class Replies:
    """The replies of a stream, as they come."""

    def __init__(self, call: Any, server: str) -> None:
        self._call = call
        self._server = server

    def next(self) -> Any:
        """Wait for the next reply; None after the last. Raises Error."""
        try:
            return next(self._call, None)
        except grpc.RpcError as error:
            raise failure(error, self._server) from None

    def cancel(self) -> None:
        """End it, without waiting for the server."""
        self._call.cancel()


class Transport:
    """One connection, made when it is needed, and again when it was lost. Any thread may use it."""

    def __init__(self, access: Access) -> None:
        """Raises BadCredentials."""
        self._server = access.server
        self._metadata = access.metadata()
        credentials, options = access.credentials(), access.options()
        if credentials is None:
            self._channel = grpc.insecure_channel(access.server, options=options)
        else:
            self._channel = grpc.secure_channel(access.server, credentials, options=options)

    def call(self, request: Message, timeout: float | None, *, wait: bool = False) -> Any:
        """Return the reply. `wait`: for a server, if there is none yet, instead of failing at once. Raises Error."""
        method = unary_method(self._channel, request)
        try:
            return method(request, timeout=timeout, metadata=self._metadata, wait_for_ready=wait)
        except grpc.RpcError as error:
            raise failure(error, self._server) from None

    def stream(self, request: Message, *, wait: bool = False) -> Replies:
        """Begin a stream of replies."""
        method = stream_method(self._channel, request)
        return Replies(method(request, metadata=self._metadata, wait_for_ready=wait), self._server)

    def connect(self, timeout: float | None) -> None:
        """Wait until the server answers. Raises DeadlineExceeded."""
        with answered():
            self.call(HealthRequest(), timeout, wait=True)

    def close(self) -> None:
        """End the connection, and every call on it."""
        self._channel.close()
