"""What stands around every method: who calls is asked, exceptions become statuses, and internals stay inside.

A call's way: its token (before a byte of the request is read) → a place among the calls of its kind → the request is
parsed → the method → the response is serialised. Whatever is raised on the way is answered here.
"""

# Rule: between the bytes that come and the bytes that go nothing is left to gRPC, which tells clients what was raised.

import functools
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias
from urllib.parse import unquote

import grpc
from grpc import aio
from grpc_status import rpc_status

from answerback.control import errors
from answerback.control.authorisation import PermissionDenied, Tokens, Unauthenticated, authorise
from answerback.control.limits import Kind, Limits, kind_of
from answerback.supervisor import audit

log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in its stubs alone
Context = aio.ServicerContext[Any, Any]


class Guard(aio.ServerInterceptor):
    """Lets in who may come in, and answers for whatever a method raises.

    By the table of `errors`, or as an internal error with an incident's id.
    """

    def __init__(self, tokens: Tokens, limits: Limits) -> None:
        self._tokens = tokens
        self._limits = limits

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Put the guard around the method that was called, if there is one."""
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        try:
            permit = self._tokens.authenticate(metadata)
            handler: Any = await continuation(handler_call_details)
            if handler is None:
                return None
            authorise(permit, method)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is answered for
            return _refusing(error, method)
        kind = kind_of(method, streaming=handler.response_streaming)

        def still_may() -> None:
            authorise(self._tokens.authenticate(metadata), method)

        return _Guarded(handler, method, permit.identity, kind, self._limits, still_may).handler


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A method's handler, and what is around it. The four kinds of gRPC's methods are two to us."""

    inner: Any
    method: str
    identity: str
    """What its token has proved of the caller."""
    kind: Kind
    limits: Limits
    still_may: Callable[[], None]

    @property
    def handler(self) -> Handler:
        """It takes bytes and gives bytes: what they mean is found out within the guard."""
        inner = self.inner
        kind = ("stream" if inner.request_streaming else "unary") + (
            "_stream" if inner.response_streaming else "_unary"
        )
        function = getattr(inner, kind)
        wrapped = self._streaming(function) if inner.response_streaming else self._single(function)
        made: Handler = getattr(grpc, f"{kind}_rpc_method_handler")(wrapped)
        return made

    def _single(self, function: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[bytes]]:
        @functools.wraps(function)
        async def guarded(request: Any, context: Context) -> bytes:
            audit.CALLER.set(caller(context, self.identity))  # each call has a context of its own
            try:
                with self.limits.place(self.kind):
                    response: bytes = self.inner.response_serializer(await function(self._parsed(request), context))
                    return response
            except aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 — whatever it is, it is answered for here
                await _answer(error, self.method, context)

        return guarded

    def _streaming(
        self, function: Callable[[Any, Context], AsyncIterator[Any]]
    ) -> Callable[[Any, Context], AsyncIterator[bytes]]:
        @functools.wraps(function)
        async def guarded(request: Any, context: Context) -> AsyncIterator[bytes]:
            audit.CALLER.set(caller(context, self.identity))
            try:
                with self.limits.place(self.kind):
                    async for response in function(self._parsed(request), context):
                        self.still_may()  # a token that is taken back ends what it began
                        yield self.inner.response_serializer(response)
            except aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 — as above
                await _answer(error, self.method, context)

        return guarded

    def _parsed(self, request: Any) -> Any:
        """The message of a request, or the messages of a stream of them. Raises MalformedRequest."""
        return self._each(request) if self.inner.request_streaming else self._message(request)

    async def _each(self, requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for request in requests:
            yield self._message(request)

    def _message(self, data: bytes) -> Any:
        try:
            return self.inner.request_deserializer(data)
        except Exception:  # noqa: BLE001 — what a parser raises is its own affair
            raise errors.MalformedRequest(f"these bytes are no request of {self.method[1:]}") from None


def caller(context: Context, identity: str = "") -> audit.Caller:
    """Who calls: from where, by which token, with whose certificate."""
    names = [one.decode(errors="replace") for one in context.peer_identities() or ()]
    return audit.Caller(unquote(context.peer()), ", ".join(filter(None, (identity, *names))))


def _refusing(error: Exception, method: str) -> Handler:
    """Refuses a call of any kind. As one of streams, because then gRPC reads no message before."""

    async def refuse(_requests: Any, context: Context) -> None:
        if isinstance(error, (Unauthenticated, PermissionDenied)):
            # What varies stands beside the text: of those that repeat, some are logged, the others counted.
            log.warning("a call was refused: %s", error, extra={"method": method, "peer": context.peer()})
        await _answer(error, method, context)

    made: Handler = grpc.stream_stream_rpc_method_handler(refuse)
    return made


async def _answer(error: Exception, method: str, context: Context) -> NoReturn:
    status = errors.status_of(error)
    if status is None:
        incident = uuid.uuid4().hex[:12]
        log.error("internal error %s in %s", incident, method, exc_info=error)
        status = errors.internal(incident)
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status raises")
