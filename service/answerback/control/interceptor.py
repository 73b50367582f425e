"""What stands around every method: who calls is known, exceptions become statuses, and internals stay inside."""

import functools
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeAlias
from urllib.parse import unquote

import grpc
from grpc import aio
from grpc_status import rpc_status

from answerback.control import errors
from answerback.supervisor import audit

log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in its stubs alone
Context = aio.ServicerContext[Any, Any]


class Guard(aio.ServerInterceptor):
    """Answers for whatever a method raises: by the table of `errors`, or as an internal error with an incident's id."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Put the guard around the method that was called, if there is one."""
        handler = await continuation(handler_call_details)
        return None if handler is None else _guarded(handler, handler_call_details.method)


def _guarded(handler: Any, method: str) -> Handler:
    """The same handler with its function wrapped. The four kinds of gRPC's methods are two to us."""
    kind = ("stream" if handler.request_streaming else "unary") + (
        "_stream" if handler.response_streaming else "_unary"
    )
    inner = getattr(handler, kind)
    wrapped = _streaming(inner, method) if handler.response_streaming else _single(inner, method)
    make = getattr(grpc, f"{kind}_rpc_method_handler")
    made: Handler = make(wrapped, handler.request_deserializer, handler.response_serializer)
    return made


def caller(context: Context) -> audit.Caller:
    """Who calls."""
    identities = context.peer_identities() or ()
    return audit.Caller(unquote(context.peer()), ", ".join(one.decode(errors="replace") for one in identities))


def _single(inner: Callable[[Any, Context], Awaitable[Any]], method: str) -> Callable[[Any, Context], Awaitable[Any]]:
    @functools.wraps(inner)
    async def guarded(request: Any, context: Context) -> Any:
        audit.CALLER.set(caller(context))  # each call has a context of its own
        try:
            return await inner(request, context)
        except aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 — whatever it is, it is answered for here
            await _answer(error, method, context)

    return guarded


def _streaming(
    inner: Callable[[Any, Context], AsyncIterator[Any]], method: str
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    @functools.wraps(inner)
    async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
        audit.CALLER.set(caller(context))
        try:
            async for response in inner(request, context):
                yield response
        except aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 — as above
            await _answer(error, method, context)

    return guarded


async def _answer(error: Exception, method: str, context: Context) -> NoReturn:
    status = errors.status_of(error)
    if status is None:
        incident = uuid.uuid4().hex[:12]
        log.error("internal error %s in %s", incident, method, exc_info=error)
        status = errors.internal(incident)
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status raises")
