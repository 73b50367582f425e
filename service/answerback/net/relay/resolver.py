"""Resolves names in threads: getaddrinfo(3) blocks, for as long as name servers let it wait."""

import asyncio
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

MAX_LOOKUPS: Final = 8  # at once in a worker; more names wait, each for at most its connection's `connect_timeout`

Address = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""A family, and an address to connect to."""


class Resolver:
    """Resolves the names of upstreams. Connections that wait for one name share its lookup."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None  # made when a name is first resolved
        self._lookups: dict[tuple[str, int], Future[list[Address]]] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host, the best first (RFC 6724). Raises OSError (`socket.gaierror`)."""
        literal = addresses_of_literal(host, port)
        if literal:
            return literal
        key = host, port
        lookup = self._lookups.get(key)
        if lookup is None or lookup.done():
            if self._threads is None:
                self._threads = ThreadPoolExecutor(MAX_LOOKUPS, "answerback-resolver")
            lookup = self._lookups[key] = self._threads.submit(look_up, host, port)
        try:
            # Shielded: a connection that is given up must not cancel the lookup of the others.
            return await asyncio.shield(asyncio.wrap_future(lookup))
        finally:
            if lookup.done() and self._lookups.get(key) is lookup:
                del self._lookups[key]


def addresses_of_literal(host: str, port: int) -> list[Address]:
    """Return the address if `host` is one, without any lookup; empty for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port))]
    return []


def look_up(host: str, port: int) -> list[Address]:
    """Return all TCP addresses of a name; blocks. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label of more than 63 bytes
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from None
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]
