"""Passes bytes between clients and a server, and records them."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final

from answerback.recording.pieces import Kind, Piece, Recording

# Rule: what one side sent is recorded before the other side gets it, so that no reply stands before its request.

CONNECT_SECONDS: Final = 10.0
READ_BYTES: Final = 64 << 10

Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Accepts clients, connects each to the server, and passes on bytes, FIN and RST until both sides have ended."""

    def __init__(self, upstream: Address, recording: Recording, report: Callable[[str], None]) -> None:
        """`report` gets a line about each connection that begins, ends, or finds no server."""
        self._upstream = upstream
        self._recording = recording
        self._report = report
        self._accepted = 0
        self._open: set[asyncio.Task[None]] = set()
        self._ended = 0
        self._changed = asyncio.Condition()

    async def listen(self, address: Address) -> tuple[asyncio.Server, str]:
        """Accept clients; return also the address that they connect to. Raises OSError."""
        if isinstance(address, str):
            return await asyncio.start_unix_server(self._accept, address), f"unix:{address}"
        server = await asyncio.start_server(self._accept, *address)
        host, port = server.sockets[0].getsockname()[:2]
        return server, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def ended(self, connections: int) -> None:
        """Wait until this number of connections have ended."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended >= connections)

    async def stop(self) -> None:
        """Drop the connections that are still open."""
        for each in tuple(self._open):
            each.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self._accepted += 1
        try:
            await self._relay(self._accepted, (reader, writer))
        except asyncio.CancelledError:
            pass  # by `stop`: the recording ends in the middle of this connection
        finally:
            self._open.discard(task)
            async with self._changed:
                self._ended += 1
                self._changed.notify_all()

    async def _relay(self, number: int, client: Streams) -> None:
        try:
            server = await asyncio.wait_for(self._connect(), CONNECT_SECONDS)
        except OSError as error:
            _reset(client[1])
            self._report(f"connection {number}: cannot connect to the server: {_why(error)}; the client was reset")
            return
        self._report(f"connection {number}: open")
        connection = _Connection(number, client, server, self._recording)
        try:
            await connection.run()
        finally:
            from_client, from_server = connection.sizes[True], connection.sizes[False]
            self._report(
                f"connection {number}: ended; {from_client} bytes from the client, {from_server} from the server"
            )

    async def _connect(self) -> Streams:
        if isinstance(self._upstream, str):
            return await asyncio.open_unix_connection(self._upstream)
        return await asyncio.open_connection(*self._upstream)


class _Connection:
    """One client and its connection to the server."""

    def __init__(self, number: int, client: Streams, server: Streams, recording: Recording) -> None:
        self.sizes = {True: 0, False: 0}
        self._number = number
        self._client = client
        self._server = server
        self._recording = recording
        self._was_reset = False  # what the other direction sees then is of our making

    async def run(self) -> None:
        """Pass on until both sides have ended."""
        try:
            await asyncio.gather(
                self._pass_on(self._client[0], self._server[1], from_client=True),
                self._pass_on(self._server[0], self._client[1], from_client=False),
            )
        finally:
            for _, writer in (self._client, self._server):
                writer.close()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, from_client: bool) -> None:
        while True:
            kind, data = await _read(source)
            if self._was_reset:
                return
            self._recording.add(Piece(self._number, from_client, monotonic(), data, kind))
            self.sizes[from_client] += len(data)
            if kind is Kind.RESET:
                self._was_reset = True
                _reset(sink)
            with suppress(OSError):  # of a sink that has ended: the other direction sees how
                if kind is Kind.DATA:
                    sink.write(data)
                    await sink.drain()
                    continue
                if kind is Kind.FIN:
                    sink.write_eof()
            return


async def _read(source: asyncio.StreamReader) -> tuple[Kind, bytes]:
    try:
        data = await source.read(READ_BYTES)
    except OSError:
        return Kind.RESET, b""
    return (Kind.DATA if data else Kind.FIN), data


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)  # of a name that has no address


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as the other side did."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
