"""The relay that records: bytes, half-close and reset pass through it, and are in the recording."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from answerback.recording import Kind, Recording, Relay
from answerback.recording.pieces import sent_by

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def relayed(serve: Serve, talk: Callable[[Streams], Awaitable[None]]) -> tuple[Recording, list[str]]:
    """Let a client talk to a server through a relay."""
    recording, said = Recording(), list[str]()
    upstream = await asyncio.start_server(serve, "127.0.0.1", 0)
    relay = Relay(upstream.sockets[0].getsockname(), recording, said.append)
    server, address = await relay.listen(("127.0.0.1", 0))
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await talk((reader, writer))
    await asyncio.wait_for(relay.ended(1), 20)
    writer.close()
    server.close()
    upstream.close()
    return recording, said


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everything back, and close behind the client."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def test_bytes_pass_both_ways_and_are_recorded() -> None:
    data = os.urandom(1 << 20)

    async def talk(client: Streams) -> None:
        async def send() -> None:
            client[1].write(data)
            await client[1].drain()
            client[1].write_eof()

        received, _ = await asyncio.gather(client[0].read(-1), send())
        assert received == data

    recording, said = asyncio.run(relayed(echo, talk))
    (connection,) = recording.connections().values()
    assert sent_by(connection, client=True) == sent_by(connection, client=False) == data
    assert [(piece.from_client, piece.kind) for piece in connection if piece.kind is not Kind.DATA] == [
        (True, Kind.FIN),
        (False, Kind.FIN),
    ]
    assert said == [
        "connection 1: open",
        f"connection 1: ended; {1 << 20} bytes from the client, {1 << 20} from the server",
    ]


def test_half_close_of_the_client_reaches_the_server_before_the_reply() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%d" % len(await reader.read(-1)))
        writer.close()

    async def talk(client: Streams) -> None:
        client[1].write(b"12345")
        client[1].write_eof()
        assert await client[0].read(-1) == b"5"

    asyncio.run(relayed(serve, talk))


def test_reset_of_the_server_reaches_the_client() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def talk(client: Streams) -> None:
        client[1].write(b"x")
        with pytest.raises(ConnectionResetError):
            await client[0].read(-1)

    recording, _ = asyncio.run(relayed(serve, talk))
    assert [(piece.from_client, piece.kind) for piece in recording.pieces][-1] == (False, Kind.RESET)


def test_client_of_a_server_that_is_not_there_is_reset_and_named() -> None:
    async def run() -> list[str]:
        said: list[str] = []
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            relay = Relay(unused.getsockname(), Recording(), said.append)
            server, address = await relay.listen(("127.0.0.1", 0))
            reader, writer = await asyncio.open_connection(*address.split(":"))
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)
            await asyncio.wait_for(relay.ended(1), 20)
        writer.close()
        server.close()
        return said

    assert asyncio.run(run()) == [
        "connection 1: cannot connect to the server: Connection refused; the client was reset"
    ]


def test_unix_sockets_are_relayed(tmp_path: Path) -> None:
    async def run() -> bytes:
        recording = Recording()
        upstream = await asyncio.start_unix_server(echo, tmp_path / "up")
        relay = Relay(str(tmp_path / "up"), recording, lambda _: None)
        server, address = await relay.listen(str(tmp_path / "down"))
        assert address == f"unix:{tmp_path / 'down'}"
        reader, writer = await asyncio.open_unix_connection(tmp_path / "down")
        writer.write(b"hi")
        writer.write_eof()
        received = await reader.read(-1)
        await asyncio.wait_for(relay.ended(1), 20)
        writer.close()
        server.close()
        upstream.close()
        return received

    assert asyncio.run(run()) == b"hi"


def test_stop_ends_open_connections() -> None:
    async def run() -> Recording:
        recording = Recording()
        upstream = await asyncio.start_server(echo, "127.0.0.1", 0)
        relay = Relay(upstream.sockets[0].getsockname(), recording, lambda _: None)
        server, address = await relay.listen(("127.0.0.1", 0))
        reader, writer = await asyncio.open_connection(*address.split(":"))
        writer.write(b"hi")
        assert await reader.readexactly(2) == b"hi"
        await relay.stop()
        assert await reader.read(-1) == b""
        writer.close()
        server.close()
        upstream.close()
        return recording

    assert len(asyncio.run(run()).pieces) == 2
