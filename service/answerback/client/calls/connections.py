"""The calls of ConnectionService."""

from collections.abc import Sequence

from answerback.client import values
from answerback.client.faces import Caller, call
from answerback.v1 import connection_service_pb2


class ConnectionCalls(Caller):
    """Open connections."""

    @call
    async def list_connections(self, listener: str = "", *, peer: str = "") -> list[values.Connection]:
        """List open connections: all, those of a listener, those of a client (`peer`), or of both."""
        request = connection_service_pb2.ListConnectionsRequest(listener=listener, peer=peer, page_size=1000)
        return await self._pages(request, "connections")

    @call
    async def close_connections(
        self, ids: Sequence[str] = (), *, listener: str = "", peer: str = "", reset: bool = False
    ) -> int:
        """Close the connections that fulfil everything that is given, in order or by reset; return how many."""
        request = connection_service_pb2.CloseConnectionsRequest(ids=ids, listener=listener, peer=peer, reset=reset)
        return int((await self._call(request)).connections)
