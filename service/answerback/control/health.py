"""grpc.health.v1.Health, for load balancers and probes.

In addition to the supervisor's names (`""`, `liveness`, `readiness`, `listener/NAME`) every service of this server has
a status: the same as `""`. Kubernetes' gRPC probes may ask for `liveness` and `readiness`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from grpc import StatusCode, aio, method_handlers_generic_handler, unary_unary_rpc_method_handler
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer, add_HealthServicer_to_server

from answerback.control import schema
from answerback.supervisor import health

Context = aio.ServicerContext[Any, Any]

UNKNOWN: Final = HealthCheckResponse.SERVICE_UNKNOWN


class Health(HealthServicer):
    """Check, Watch and List."""

    def __init__(self, source: health.Health, services: Sequence[str] = schema.SERVICES) -> None:
        self._source = source
        self._services = services

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """Return the current status; NOT_FOUND for an unknown name."""
        status = self._status(self._source.statuses, request.service)
        if status == UNKNOWN:
            await context.abort(StatusCode.NOT_FOUND, f"{request.service!r} is neither a service here nor a listener")
        return HealthCheckResponse(status=status)

    async def Watch(self, request: HealthCheckRequest, context: Context) -> AsyncIterator[HealthCheckResponse]:
        """Stream the status now, and after each change; an unknown name may become known."""
        sent: int | None = None
        async for statuses in self._source.watch():
            status = self._status(statuses, request.service)
            if status != sent:
                sent = status
                yield HealthCheckResponse(status=status)

    async def List(self, request: Any, context: Context) -> Any:
        """Return all statuses."""
        statuses = self._source.statuses
        response = schema.HealthListResponse()
        for name in (*statuses, *self._services):
            response.statuses[name].status = self._status(statuses, name)
        return response

    def _status(self, statuses: Mapping[str, bool], name: str) -> int:
        serving = statuses.get("" if name in self._services else name)
        if serving is None:
            return UNKNOWN
        return HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING


def add_health(servicer: Health, server: aio.Server) -> None:
    """Register the service, including `List`."""
    add_HealthServicer_to_server(servicer, server)
    handler = unary_unary_rpc_method_handler(
        servicer.List,
        request_deserializer=schema.HealthListRequest.FromString,
        response_serializer=schema.HealthListResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((method_handlers_generic_handler(schema.HEALTH, {"List": handler}),))
