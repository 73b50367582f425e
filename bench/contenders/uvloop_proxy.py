"""A bare proxy on uvloop: two ``asyncio.Protocol`` for each client, with back-pressure and half-close, no more."""

# Rule: no feature, and no count, limit or timeout. This is what a relay costs in Python before it does anything else.

import asyncio
import resource
import socket
import sys
from functools import partial
from typing import cast

import uvloop

BACKLOG = 4096  # as every contender here


class Side(asyncio.Protocol):
    """Writes what it reads to the other side, which stops it while it has not taken everything."""

    transport: asyncio.Transport
    other: "Side"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        """Stop reading from the other side."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Continue to read from the other side."""
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """Pass FIN on; the other direction stays open."""
        if not self.other.transport.is_closing():
            self.other.transport.write_eof()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """Close the other side too."""
        self.other.transport.close()


class Client(Side):
    """The side of a client. What it sends before there is an upstream is kept."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._early: list[bytes] | None = []  # empty bytes are FIN

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the upstream."""
        super().connection_made(transport)
        self.other = Side()
        self.other.other = self
        self._connecting = asyncio.ensure_future(self._connect())

    def data_received(self, data: bytes) -> None:
        """Pass it on, or keep it."""
        if self._early is None:
            self.other.transport.write(data)
        else:
            self._early.append(data)

    def eof_received(self) -> bool:
        """Pass FIN on, or keep it."""
        if self._early is None:
            return super().eof_received()
        self._early.append(b"")
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Close the upstream, or do not connect to it."""
        if not self._connecting.cancel():
            super().connection_lost(error)

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.other, "127.0.0.1", self._upstream)
        except OSError:
            self.transport.abort()
            return
        early, self._early = self._early, None
        for data in early or ():
            if data:
                self.data_received(data)
            else:
                self.eof_received()


async def main(ports: list[tuple[int, int]]) -> None:
    """Relay from the first port of each pair to the second, on the loopback, until ended."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop = asyncio.get_running_loop()
    for port, upstream in ports:
        await loop.create_server(partial(Client, upstream), "127.0.0.1", port, family=socket.AF_INET, backlog=BACKLOG)
    await loop.create_future()


if __name__ == "__main__":
    pairs = [argument.split(":") for argument in sys.argv[1:]]
    uvloop.run(main([(int(port), int(upstream)) for port, upstream in pairs]))
