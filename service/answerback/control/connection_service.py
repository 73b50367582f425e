"""answerback.v1.ConnectionService."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from grpc import aio

from answerback.control.errors import BadArgument
from answerback.control.requests import page_size
from answerback.language.editing import NoSuchListener
from answerback.supervisor import Supervisor
from answerback.supervisor.operations.connections import ConnectionQuery, OpenConnection
from answerback.v1 import connection_service_pb2 as pb
from answerback.v1.connection_service_pb2_grpc import ConnectionServiceServicer

MAX_IDS: Final = 1000
PHASES: Final[Mapping[str, pb.ConnectionState.ValueType]] = {
    "OPEN": pb.CONNECTION_STATE_OPEN,
    "HALF_CLOSED": pb.CONNECTION_STATE_HALF_CLOSED,
    "CLOSING": pb.CONNECTION_STATE_CLOSING,
}
Context = aio.ServicerContext[Any, Any]


class ConnectionService(ConnectionServiceServicer):
    """The open connections of all workers."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def ListConnections(self, request: pb.ListConnectionsRequest, context: Context) -> pb.ListConnectionsResponse:
        """Return a page of connections."""
        query, size = self._query(request.listener, request.peer), page_size(request.page_size)
        found = await self._supervisor.connections.page(query, size + 1, _after(request.page_token))
        shown = found[:size]
        token = ""
        if len(found) > size:
            token = urlsafe_b64encode(shown[-1].id.encode()).decode()
        return pb.ListConnectionsResponse(connections=map(_connection, shown), next_page_token=token)

    async def CloseConnections(
        self, request: pb.CloseConnectionsRequest, context: Context
    ) -> pb.CloseConnectionsResponse:
        """Return how many connections were told to close."""
        if not (request.ids or request.listener or request.peer):
            raise BadArgument("ids", "say which connections: set ids, listener or peer")
        if len(request.ids) > MAX_IDS:
            raise BadArgument("ids", f"{len(request.ids)} ids; the maximum is {MAX_IDS}")
        for index, each in enumerate(request.ids):
            _place(f"ids[{index}]", each)
        query = self._query(request.listener, request.peer, *request.ids)
        return pb.CloseConnectionsResponse(
            connections=await self._supervisor.connections.close(query, reset=request.reset)
        )

    def _query(self, listener: str, peer: str, *ids: str) -> ConnectionQuery:
        """Raises NoSuchListener, BadArgument."""
        if listener and self._supervisor.journal.names.block(listener) is None:
            raise NoSuchListener(listener)
        host, port = peer, 0
        if peer.count(":") == 1 or "]:" in peer:
            host, _, text = peer.rpartition(":")
            if not text.isdecimal() or not 0 < int(text) < 1 << 16:
                raise BadArgument("peer", f"{text!r} is not a port")
            port = int(text)
        return ConnectionQuery(ids=ids, listener=listener, host=host.strip("[]"), port=port)


def _connection(found: OpenConnection) -> pb.Connection:
    described = found.described
    host = f"[{described.host}]" if ":" in described.host else described.host
    age = round(described.age_seconds * 1e9)
    return pb.Connection(
        id=found.id,
        listener=described.listener,
        worker=found.worker,
        peer=f"{host}:{described.port}" if host else "",
        age=Duration(seconds=age // 10**9, nanos=age % 10**9),
        received_bytes=described.received_bytes,
        sent_bytes=described.sent_bytes,
        requests=described.requests,
        state=PHASES[described.phase],
        waits_for=described.waits_for,
        rule_state=described.rule_state,
    )


def _after(token: str) -> tuple[int, int]:
    if not token:
        return 0, 0
    try:
        return _place("page_token", b64decode(token.encode(), altchars=b"-_", validate=True).decode())
    except ValueError:
        raise BadArgument("page_token", "not a token of this server; start again without one") from None


def _place(field: str, connection: str) -> tuple[int, int]:
    """Return the process and number of an id. Raises BadArgument."""
    process, _, number = connection.partition("-")
    if not (process.isdecimal() and number.isdecimal() and len(connection) <= 32 and int(number) < 1 << 63):
        raise BadArgument(field, "not the id of a connection: `answerback connections` lists them")
    return int(process), int(number)
