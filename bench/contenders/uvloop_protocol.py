"""The bare ``asyncio.Protocol`` on uvloop: one ``+PONG`` for each line, and nothing else."""

# Rule: no feature. This is what the language and its fastest loop cost before a server does anything.

import asyncio
import resource
import socket
from typing import cast

import uvloop

BACKLOG = 4096  # as every contender here
REPLY = b"+PONG\r\n"


class Line(asyncio.Protocol):
    """Answers every newline received; the peer closes."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Answer all lines of a read in one write."""
        self.transport.write(REPLY * data.count(b"\n"))


async def main() -> None:
    """Serve on a free port of the loopback until ended."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Line, "127.0.0.1", 0, family=socket.AF_INET, backlog=BACKLOG)
    print("READY", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
