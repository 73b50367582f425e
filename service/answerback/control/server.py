"""The gRPC server of the admin API."""

import asyncio
import logging
import os
from typing import Any, Final

import grpc
from grpc import aio

from answerback.control import heap, schema
from answerback.control.address import Address
from answerback.control.bind_check import obstacle
from answerback.control.config_service import ConfigService
from answerback.control.connection_service import ConnectionService
from answerback.control.credentials import Protection, load
from answerback.control.health import Health, add_health
from answerback.control.interceptor import Guard, HangUps
from answerback.control.journal_service import JournalService
from answerback.control.limits import STREAMS, Limits
from answerback.control.listener_service import ListenerService
from answerback.control.operations_service import OperationsService
from answerback.control.reflection import add_reflection
from answerback.net import fd_reserve
from answerback.supervisor import StartError, Supervisor
from answerback.v1.config_service_pb2_grpc import add_ConfigServiceServicer_to_server
from answerback.v1.connection_service_pb2_grpc import add_ConnectionServiceServicer_to_server
from answerback.v1.journal_service_pb2_grpc import add_JournalServiceServicer_to_server
from answerback.v1.listener_service_pb2_grpc import add_ListenerServiceServicer_to_server
from answerback.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server

OWNER_ALONE: Final = 0o177  # as a umask: the socket has mode 0600
MAX_CONFIG_BYTES: Final = 4 << 20
CONNECTIONS: Final = 128  # each costs some 20 KiB when it is idle, and some MiB when it floods
HANDSHAKE_MS: Final = 5_000
IDLE_MS: Final = 300_000  # seconds without a call
IDENTITY_ALONE: Final = 1 << 0  # a bit for each of grpc_compression_algorithm
METADATA_BYTES: Final = 8 << 10  # bytes of a call's metadata, names and 32 bytes for each included: tokens are shorter
OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.so_reuseport", 0),  # on by default: a second server would share the port silently
    ("grpc.max_receive_message_length", MAX_CONFIG_BYTES + (64 << 10)),  # plus a comment and an etag
    ("grpc.max_concurrent_streams", STREAMS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),  # seconds for TLS and the first frames
    # Until a client has acknowledged our limits, gRPC applies its own: 16 MiB of metadata.
    ("grpc.http2.settings_timeout", HANDSHAKE_MS),
    ("grpc.max_connection_idle_ms", IDLE_MS),  # clients reconnect by themselves
    # 0: PINGs are answered, however many come. Past a number of them gRPC queues a GOAWAY for each, of 4 KiB.
    ("grpc.http2.max_ping_strikes", 0),
    # gRPC inflates a message before it checks its size, so compressed ones are rejected: UNIMPLEMENTED.
    ("grpc.compression_enabled_algorithms_bitset", IDENTITY_ALONE),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    # The read-ahead stays at 64 KiB per connection, and read buffers do not grow under a flood.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.tcp_receive_buffer_size", 16 << 10),
    ("grpc.experimental.tcp_max_read_buffer_size", 64 << 10),  # gRPC 1.84 and later
    ("grpc.keepalive_time_ms", 60_000),  # detects watchers whose machine is gone
    ("grpc.keepalive_timeout_ms", 20_000),
    # Connections by a certificate that is no longer valid are closed; calls in progress continue.
    ("grpc.max_connection_age_ms", 3_600_000),
]


class AdminServer:
    """Listens from construction on, answers from `start` on. `address` includes the port that the kernel chose.

    `reflection` exposes the schema to other machines; on this machine it is always exposed. Raises StartError if it
    cannot listen, or would be open to other machines without protection. Needs a running event loop.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        address: Address,
        protection: Protection | None = None,
        *,
        reflection: bool = False,
    ) -> None:
        credentials = load(protection or Protection(), address)
        _without_hang_ups()
        self._trimming: asyncio.Task[None] | None = None
        self._server = aio.server(interceptors=[Guard(credentials.tokens, Limits())], options=_options())
        add_ConfigServiceServicer_to_server(ConfigService(supervisor), self._server)
        add_JournalServiceServicer_to_server(JournalService(supervisor), self._server)
        add_ConnectionServiceServicer_to_server(ConnectionService(supervisor), self._server)
        add_ListenerServiceServicer_to_server(ListenerService(supervisor), self._server)
        add_OperationsServiceServicer_to_server(OperationsService(supervisor), self._server)
        shown = reflection or address.private
        services = schema.SERVICES if shown else schema.WITHOUT_REFLECTION
        add_health(Health(supervisor.health, services), self._server)
        if shown:
            add_reflection(self._server)
        self.address = address.bound(_listen(self._server, address, credentials.server))

    async def start(self) -> None:
        """Start to answer calls."""
        await self._server.start()
        self._trimming = asyncio.create_task(heap.keep_trimmed())

    async def stop(self, grace: float = 0.0) -> None:
        """Stop taking calls; those in progress are cancelled after `grace` seconds."""
        if self._trimming is not None:
            self._trimming.cancel()
        await self._server.stop(grace)


def _options() -> list[tuple[str, Any]]:
    """Return OPTIONS plus the connection limit, which leaves descriptors free to replace workers."""
    return [*OPTIONS, ("grpc.max_allowed_incoming_connections", fd_reserve.bounded(CONNECTIONS))]


def _without_hang_ups() -> None:
    logger = logging.getLogger("grpc._cython.cygrpc")
    if not any(isinstance(each, HangUps) for each in logger.filters):
        logger.addFilter(HangUps())


def _listen(server: aio.Server, address: Address, credentials: grpc.ServerCredentials | None) -> int:
    """Listen; return the port. Raises StartError."""
    reason = obstacle(address) if address.path else ""  # gRPC would replace a Unix socket in use
    if not reason:
        place = address.text if address.path else address.bound(address.port)
        former = os.umask(OWNER_ALONE)  # from creation on: with chmod a client could connect before
        try:
            return server.add_secure_port(place, credentials) if credentials else server.add_insecure_port(place)
        except RuntimeError:
            reason = obstacle(address) or "gRPC cannot listen on this address"
        finally:
            os.umask(former)
    raise StartError(f"--admin {address.text}: {reason}")
