"""Clients that count what they did and received."""

# Rule: a client counts what it is certain of: bytes it read, bytes it knows were read, endings it saw or made.

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

LINGER_ZERO = struct.pack("ii", 1, 0)
READ_BYTES = 1 << 16


@dataclass
class Account:
    """The counters that a listener must have."""

    connections: int = 0
    sent: int = 0
    received: int = 0
    unmatched: int = 0
    unfinished: int = 0
    """Requests whose reply the client did not wait for."""
    truncated: int = 0
    probes: int = 0
    delay: float = 0.0
    closed: Counter[str] = field(default_factory=Counter)
    matches: Counter[str] = field(default_factory=Counter)

    def ended(self, reason: str) -> None:
        """Note why the server will say that it ended."""
        self.closed[reason] += 1

    def asked(self, rule: str, times: int = 1) -> None:
        """Note which rule answered."""
        self.matches[rule] += times

    def samples(self, listener: str) -> Iterator[tuple[str, dict[str, str], float]]:
        """The metrics it must be found in, but for those of the rules and reasons it does not know."""
        one = {"listener": listener}
        yield "connections_accepted_total", one, self.connections
        yield "connections_open", one, 0
        yield "received_bytes_total", one, self.sent
        yield "sent_bytes_total", one, self.received
        requests = self.matches.total() + self.unmatched
        yield "requests_total", one, requests
        yield "request_duration_seconds_count", one, requests - self.unfinished
        yield "requests_unmatched_total", one, self.unmatched
        yield "requests_truncated_total", one, self.truncated
        yield "connections_without_data_total", one, self.probes
        yield "injected_delay_seconds_total", one, self.delay
        for reason, count in self.closed.items():
            yield "connections_closed_total", one | {"reason": reason}, count
        for rule, count in self.matches.items():
            yield "rule_matches_total", one | {"rule": rule}, count


class Talk:
    """One connection of a client."""

    def __init__(
        self, address: tuple[str, int], account: Account, *, source: str = "", receive_buffer: int = 0
    ) -> None:
        self._address = address
        self._account = account
        self._sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self._sock.setblocking(False)
        if receive_buffer:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self._sock.bind((source, 0))

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().sock_connect(self._sock, self._address)
        self._account.connections += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sock.close()

    async def say(self, data: bytes) -> None:
        """Send it; it is counted as what the server will have read."""
        self._account.sent += len(data)
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def hear(self, expected: bytes) -> None:
        """Read as much as is expected, which must be that."""
        heard = bytearray()
        while len(heard) < len(expected):
            data = await self._read(len(expected) - len(heard))
            assert data, f"the connection ended after {bytes(heard)!r}"
            heard += data
        assert bytes(heard) == expected

    async def rest(self) -> bytes:
        """Read until the server closes its half."""
        heard = bytearray()
        while data := await self._read(READ_BYTES):
            heard += data
        return bytes(heard)

    async def is_reset(self) -> bool:
        """Read until the server ends the connection; whether it does so by RST."""
        try:
            await self.rest()
        except ConnectionResetError:
            return True
        return False

    def finish(self) -> None:
        """Close the sending half."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Drop the connection."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self._sock.close()

    async def _read(self, most: int) -> bytes:
        data = await asyncio.get_running_loop().sock_recv(self._sock, most)
        self._account.received += len(data)
        return data
