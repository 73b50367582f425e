"""TLS over `ssl.MemoryBIO` on uvloop, and nothing else: a handshake, ``+PONG``, close_notify and FIN.

``uvloop_tls.py FOLDER CLEAR TLS IDLE``: the folder of tls.crt and tls.key, and three ports of the loopback. CLEAR
answers without TLS, TLS ends each connection after its answer, and IDLE does not.
"""

# Rule: no feature. This is what Python and OpenSSL cost before a server does anything.

import asyncio
import resource
import socket
import ssl
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

BACKLOG = 4096  # as every contender here
REPLY = b"+PONG\r\n"


class Clear(asyncio.Protocol):
    """Answers at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer, and end."""
        sender = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        sender.write(REPLY)
        sender.write_eof()


class Secure(asyncio.Protocol):
    """Makes the handshake, then answers."""

    __slots__ = ("_ends", "_incoming", "_outgoing", "_tls", "_transport")

    _transport: asyncio.Transport

    def __init__(self, context: ssl.SSLContext, *, ends: bool) -> None:
        """`ends`: whether the answer is the last one."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._ends = ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake; what comes after it is not read."""
        self._incoming.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._transport.write(self._outgoing.read())
            return
        self._tls.write(REPLY)
        if self._ends:
            with suppress(ssl.SSLError):  # the client's close_notify is not awaited
                self._tls.unwrap()
        self._transport.write(self._outgoing.read())
        if self._ends:
            self._transport.write_eof()


async def main(folder: Path, clear: int, tls: int, idle: int) -> None:
    """Serve until ended."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 1  # as Answerback
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    loop = asyncio.get_running_loop()
    for port, protocol in (
        (tls, partial(Secure, context, ends=True)),
        (idle, partial(Secure, context, ends=False)),
        (clear, Clear),
    ):
        await loop.create_server(protocol, "127.0.0.1", port, family=socket.AF_INET, backlog=BACKLOG)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
