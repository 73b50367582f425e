"""The gRPC server of the control API."""

from typing import Any, Final

from grpc import aio

from answerback.control import reflection
from answerback.control.address import Address, obstacle
from answerback.control.config_service import ConfigService
from answerback.control.health import Health, add_health
from answerback.control.interceptor import Guard
from answerback.control.listener_service import ListenerService
from answerback.control.operations_service import OperationsService
from answerback.supervisor import StartError, Supervisor
from answerback.v1.config_service_pb2_grpc import add_ConfigServiceServicer_to_server
from answerback.v1.listener_service_pb2_grpc import add_ListenerServiceServicer_to_server
from answerback.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server

MAX_CONFIG_BYTES: Final = 4 << 20
OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.so_reuseport", 0),  # on by default: a second server would share the port silently
    ("grpc.max_receive_message_length", MAX_CONFIG_BYTES + (64 << 10)),  # and a comment, and an etag
    ("grpc.keepalive_time_ms", 60_000),  # a watcher whose machine is gone is found out
    ("grpc.keepalive_timeout_ms", 20_000),
]


class AdminServer:
    """Listens from construction on, answers from `start` on. `address` is where, with the port the kernel chose for 0.

    Raises StartError if it cannot listen, or would be open to others without `insecure`. Needs a running event loop.
    """

    def __init__(self, supervisor: Supervisor, address: Address, *, insecure: bool = False) -> None:
        if not address.private and not insecure:
            raise StartError(
                f"--admin {address.text}: whoever reaches the admin API rules the responder, and nothing guards it; "
                "keep it on loopback (127.0.0.1:50051) or a Unix socket (unix:/run/answerback.sock), "
                "or give --admin-insecure if the network itself is closed"
            )
        self._server = aio.server(interceptors=[Guard()], options=OPTIONS)
        add_ConfigServiceServicer_to_server(ConfigService(supervisor), self._server)
        add_ListenerServiceServicer_to_server(ListenerService(supervisor), self._server)
        add_OperationsServiceServicer_to_server(OperationsService(supervisor), self._server)
        add_health(Health(supervisor.health), self._server)
        reflection.add(self._server)
        self.address = address.bound(_listen(self._server, address))

    async def start(self) -> None:
        """Answer calls."""
        await self._server.start()

    async def stop(self, grace: float = 0.0) -> None:
        """Take no more calls; those in progress are cancelled after `grace` seconds."""
        await self._server.stop(grace)


def _listen(server: aio.Server, address: Address) -> int:
    """The port. Raises StartError."""
    reason = obstacle(address) if address.path else ""  # gRPC would take the place of a Unix socket in use
    if not reason:
        try:
            return server.add_insecure_port(address.text if address.path else address.bound(address.port))
        except RuntimeError:
            reason = obstacle(address) or "gRPC cannot listen there"
    raise StartError(f"--admin {address.text}: {reason}")
