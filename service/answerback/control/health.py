"""grpc.health.v1.Health: what load balancers and probes ask, over the supervisor's health.

Beside the supervisor's names (`""`, `liveness`, `readiness`, `listener/NAME`) every service of this server has its own:
it serves whenever `""` does. Kubernetes' gRPC probes may ask for `liveness` and `readiness`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from grpc import StatusCode, aio, method_handlers_generic_handler, unary_unary_rpc_method_handler
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer, add_HealthServicer_to_server

from answerback.control import schema
from answerback.supervisor.health import Health as Source

Context = aio.ServicerContext[Any, Any]

UNKNOWN: Final = HealthCheckResponse.SERVICE_UNKNOWN


class Health(HealthServicer):
    """Check, Watch and List."""

    def __init__(self, source: Source, services: Sequence[str] = schema.SERVICES) -> None:
        self._source = source
        self._services = services

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """The status now; NOT_FOUND for a name that nobody knows."""
        status = self._status(self._source.statuses, request.service)
        if status == UNKNOWN:
            await context.abort(StatusCode.NOT_FOUND, f"{request.service!r} is neither a service here nor a listener")
        return HealthCheckResponse(status=status)

    async def Watch(self, request: HealthCheckRequest, context: Context) -> AsyncIterator[HealthCheckResponse]:
        """The status now, and again whenever it is another; a name that nobody knows may become known."""
        told: int | None = None
        async for statuses in self._source.watch():
            status = self._status(statuses, request.service)
            if status != told:
                told = status
                yield HealthCheckResponse(status=status)

    async def List(self, request: Any, context: Context) -> Any:
        """All of them."""
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
    """Register it, `List` included."""
    add_HealthServicer_to_server(servicer, server)
    handler = unary_unary_rpc_method_handler(
        servicer.List,
        request_deserializer=schema.HealthListRequest.FromString,
        response_serializer=schema.HealthListResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((method_handlers_generic_handler(schema.HEALTH, {"List": handler}),))
