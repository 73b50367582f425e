"""The wrapper of every method: authenticates the caller, turns exceptions into statuses, and hides internals.

A call's path: its token (before a byte of the request is read) → the bytes of its request → a share of the limits
of its kind, until the call is done → the request is parsed → the method → the response is serialised, and sent when
the limits on unread responses allow. Exceptions on the way become statuses here.
"""

# Rule: nothing of a call is in a cycle of references when it is done: until Python's collector found it, gRPC would
#       count its stream as open, and close new ones of the same connection (UNAVAILABLE, RST_STREAM 7). So neither
#       `context.add_done_callback` nor `context.abort` is used: both refer to the context from within itself.
# Rule: gRPC handles bytes only, in both directions: it would tell clients the texts of exceptions.

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

import grpc
from grpc import aio
from grpc_status import rpc_status

from answerback.concurrency.serial import SerialRunner
from answerback.control import errors, schema
from answerback.control.authorisation import PermissionDenied, Tokens, Unauthenticated, authorise
from answerback.control.limits import CallShare, Kind, Limits, kind_of
from answerback.control.receiving import LARGE, Receiver
from answerback.supervisor import audit

log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic only in its stubs
Context = aio.ServicerContext[Any, Any]


class Guard(aio.ServerInterceptor):
    """Checks permissions, and handles the exceptions of every method.

    By the table of `errors`, or as an internal error with an incident's id.
    """

    def __init__(self, tokens: Tokens, limits: Limits, receiver: Receiver | None = None) -> None:
        self._tokens = tokens
        self._limits = limits
        self._receiver = receiver or Receiver()
        self._serial = {kind: SerialRunner() for kind in Kind}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Wrap the called method, if it exists."""
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        try:
            permit = self._tokens.authenticate(metadata)
            handler: Any = await continuation(handler_call_details)
            if handler is None:
                return None
            authorise(permit, method)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is answered for
            return _rejecting(error, method)
        kind = kind_of(method, streaming=handler.response_streaming)

        def reauthorise() -> None:
            authorise(self._tokens.authenticate(metadata), method)

        return _Guarded(
            handler, method, permit.identity, kind, self._limits, self._receiver, self._serial[kind], reauthorise
        ).handler


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A method's handler with its wrapper.

    gRPC sees every method as bidirectional streaming, which is the same on the wire: then it reads no message before
    it is asked to, and this class sends the responses.
    """

    inner: Any
    method: str
    identity: str
    """The identity that the caller's token gives."""
    kind: Kind
    limits: Limits
    receiver: Receiver
    serial: SerialRunner
    reauthorise: Callable[[], None]

    @property
    def handler(self) -> Handler:
        """Return a handler of bytes; they are parsed within the guard."""
        made: Handler = grpc.stream_stream_rpc_method_handler(self._call)
        return made

    async def _call(self, _requests: Any, context: Context) -> None:
        audit.CALLER.set(caller(context, self.identity))  # each call has a context of its own
        try:
            data = await self.receiver.first(context, self.method)
            share = self.limits.enter(self.kind)
            _this_call().add_done_callback(lambda _: share.leave())
            share.reserve(len(data))
            if self.inner.response_streaming:
                await self._stream(data, context, share)
            else:
                await self._single(data, context, share)
        except aio.AbortError:
            raise
        except aio.InternalError:
            raise _left(self.method) from None
        except Exception as error:  # noqa: BLE001 — whatever it is, it is answered for here
            _answer(error, self.method, context)

    async def _single(self, data: bytes, context: Context, share: CallShare) -> None:
        function = self.inner.stream_unary if self.inner.request_streaming else self.inner.unary_unary

        async def work() -> bytes:
            answer: bytes = self.inner.response_serializer(await function(await self._request(data, context), context))
            return answer

        self.limits.expect_answer(self.kind, self.method)
        # Large requests of a kind are handled one at a time: parsed, they are ten times as large.
        answer = await (self.serial.run(work()) if len(data) >= LARGE else work())
        answer = self.limits.shared(answer)
        self.limits.note_answer(self.method, len(answer))
        share.release()
        share.reserve(len(answer))  # until the call is done: only then the client has read it
        await context.write(answer)

    async def _stream(self, data: bytes, context: Context, share: CallShare) -> None:
        function = self.inner.stream_stream if self.inner.request_streaming else self.inner.unary_stream
        request = await self._request(data, context)
        share.release()
        async with aclosing(function(request, context)) as responses:
            async for response in responses:
                self.reauthorise()  # a revoked token also ends its streams
                answer = self.limits.shared(self.inner.response_serializer(response))
                del response  # it is large: this may take long
                await share.reserve_when_free(len(answer))
                await context.write(answer)
                share.release()

    async def _request(self, data: bytes, context: Context) -> Any:
        """Return the parsed request, or an iterator of them. Raises MalformedRequest, TooManyParts."""
        deserialize, kind = self.inner.request_deserializer, schema.REQUESTS.get(self.method)
        if self.inner.request_streaming:
            return self.receiver.each(data, context, self.method, deserialize, kind)
        return await self.receiver.parsed(data, self.method, deserialize, kind)


def caller(context: Context, identity: str = "") -> audit.Caller:
    """Return who calls: the peer address, the token's name, the certificate's name."""
    names = [one.decode(errors="replace") for one in context.peer_identities() or ()]
    return audit.Caller(unquote(context.peer()), ", ".join(filter(None, (identity, *names))))


def _rejecting(error: Exception, method: str) -> Handler:
    """Return a handler that rejects a call of any kind, as a streaming one: gRPC reads no message before."""

    async def refuse(_requests: Any, context: Context) -> None:
        if isinstance(error, (Unauthenticated, PermissionDenied)):
            # Variable parts are separate fields: repeated texts are rate-limited in the log.
            log.warning("call rejected: %s", error, extra={"method": method, "peer": context.peer()})
        _answer(error, method, context)

    made: Handler = grpc.stream_stream_rpc_method_handler(refuse)
    return made


def _answer(error: Exception, method: str, context: Context) -> None:
    """Set the status with which the call ends when its handler returns."""
    status = errors.status_of(error)
    if status is None:
        incident = uuid.uuid4().hex[:12]
        log.error("internal error %s in %s", incident, method, exc_info=error)
        status = errors.internal(incident)
    answer = rpc_status.to_status(status)
    context.set_code(answer.code)
    context.set_details(answer.details)
    context.set_trailing_metadata(answer.trailing_metadata)


def _this_call() -> "asyncio.Task[Any]":
    """Return the task of this call, which ends when gRPC has sent its status."""
    task = asyncio.current_task()
    assert task is not None
    return task


def _left(method: str) -> asyncio.CancelledError:
    """Return the exception that tells gRPC that the client hung up while a message was being sent."""
    log.debug("the client disconnected during %s", method)
    return asyncio.CancelledError()


class HangUps(logging.Filter):
    """Filters out gRPC's log records, with tracebacks, about clients that hang up during a call."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is about anything else."""
        if not (record.exc_info and isinstance(record.exc_info[1], aio.InternalError)):
            return True
        log.debug("a client disconnected before its call was complete")
        return False
