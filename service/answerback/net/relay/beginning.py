"""What a connection to an upstream begins with, before the bytes of its client: a PROXY header, and a TLS handshake."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from answerback.core.tls import Channel, Handshakes, TlsError

READ_BYTES: Final = 16 << 10


class UpstreamCounters(Protocol):
    """Counts bytes and handshakes. See `ListenerCounters`."""

    def upstream_handshake(self, outcome: Handshakes) -> None:
        """A TLS handshake with the upstream has ended."""

    def upstream_received(self, size: int) -> None:
        """`size` bytes were read from the upstream."""

    def upstream_sent(self, size: int) -> None:
        """The kernel took `size` bytes for the upstream."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A socket that has just been connected."""

    loop: asyncio.AbstractEventLoop
    sock: socket.socket
    counters: UpstreamCounters
    line: asyncio.Lock
    """Lets one handshake of the worker do one step in each iteration of the event loop, so that many of them at once
    keep no other connection waiting."""

    async def send(self, data: bytes) -> None:
        """Send these bytes. Raises OSError."""
        await self.loop.sock_sendall(self.sock, data)
        self.counters.upstream_sent(len(data))

    async def shake_hands(self, channel: Channel) -> None:
        """Complete the handshake, and count it. Raises TlsError, OSError."""
        try:
            outcome = await self._shaken(channel)
        except (TlsError, OSError):
            self.counters.upstream_handshake(Handshakes.FAILED)
            raise
        self.counters.upstream_handshake(outcome)

    async def _shaken(self, channel: Channel) -> Handshakes:
        while True:
            async with self.line:
                try:
                    outcome = channel.handshake()
                except TlsError:
                    with suppress(OSError):  # the alert, for the upstream's log
                        self.counters.upstream_sent(self.sock.send(channel.pull()))
                    raise
                await asyncio.sleep(0)
            out = channel.pull()
            if out:
                await self.send(out)
            if outcome is not None:
                return outcome
            data = await self.loop.sock_recv(self.sock, READ_BYTES)
            if not data:
                raise TlsError("the upstream closed the connection")
            self.counters.upstream_received(len(data))
            channel.feed(data)
