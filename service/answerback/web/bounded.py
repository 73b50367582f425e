"""Limits the connections of the HTTP server: their number, per peer, and their duration."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Final, cast

from answerback.compat import override
from answerback.net import fd_reserve

# Rule: a new connection is always accepted. At the limit, the oldest connection with an incomplete request is closed
#       for it: a probe sends its request at once, so other clients cannot keep it out. If a peer has several complete
#       requests, one of these is closed before a connection that has just arrived.
# Rule: a connection lasts at most CONNECTION_SECONDS, however slowly its peer sends or reads.

CONNECTIONS: Final = 64  # a scraper, some probes and a few people; each costs some 100 kB at worst
CONNECTIONS_PER_PEER: Final = 16  # per IPv4 address or IPv6 /64
REQUEST_SECONDS: Final = 5.0  # for the request line and the headers
NEW_SECONDS: Final = 0.25  # seconds in which a probe has sent its request, unless its machine is very busy
CONNECTION_SECONDS: Final = 10.0  # seconds for one request and its response; each connection has only one
# Seconds for the response to a client that has closed its half: it may be `nc -N`, which waits for it, or a scrape that
# was aborted, whose render is to stop.
HALF_CLOSED_SECONDS: Final = 1.0

NETWORK_BITS: Final = 64  # prefix length of IPv6: a host has all addresses of its network


class Bound:
    """The limits: connections in total and per peer, and their duration."""

    def __init__(
        self,
        connections: int | None = None,
        per_peer: int = CONNECTIONS_PER_PEER,
        request_seconds: float = REQUEST_SECONDS,
        seconds: float = CONNECTION_SECONDS,
        new_seconds: float = NEW_SECONDS,
        half_closed_seconds: float = HALF_CLOSED_SECONDS,
    ) -> None:
        """`connections` defaults to CONNECTIONS, or fewer if the limit of descriptors requires it."""
        self.connections = fd_reserve.bounded(CONNECTIONS) if connections is None else connections
        self.per_peer = per_peer
        self.request_seconds = request_seconds
        self.seconds = seconds
        self.new_seconds = new_seconds
        self.half_closed_seconds = half_closed_seconds
        self._places: dict[BoundedProtocol, None] = {}  # the oldest first

    @property
    def open(self) -> int:
        """The number of open connections."""
        return len(self._places)

    @property
    def asked(self) -> int:
        """The number of connections whose request is complete."""
        return sum(place.asked for place in self._places)

    def enter(self, newcomer: "BoundedProtocol") -> None:
        """Add a connection; close another one if the limit is reached."""
        own = [place for place in self._places if place.peer == newcomer.peer]
        if len(own) >= self.per_peer:
            self._evict(own)
        if len(self._places) >= self.connections:
            self._evict(list(self._places))
        self._places[newcomer] = None

    def leave(self, place: "BoundedProtocol") -> None:
        """Remove a connection."""
        self._places.pop(place, None)

    def _evict(self, places: "list[BoundedProtocol]") -> None:
        """Close one of these connections, the oldest first."""
        counts = Counter(place.peer for place in places)
        since = asyncio.get_running_loop().time() - self.new_seconds
        waited = [place for place in places if not place.asked and place.began <= since]
        if waited:
            victim = max(
                waited, key=lambda place: counts[place.peer]
            )  # the first, and so the oldest, of the peer with most
        else:
            most = max(counts.values())
            heaviest = [place for place in places if counts[place.peer] == most]
            answered_first = most > 1
            victim = next((place for place in heaviest if place.asked == answered_first), heaviest[0])
        self.leave(victim)
        victim.end()


class BoundedProtocol(asyncio.Protocol):
    """Passes a connection's events to the protocol that `make` creates, while the connection is admitted.

    `make` gets a function to call when the request is complete.
    """

    def __init__(self, bound: Bound, make: Callable[[Callable[[], None]], asyncio.Protocol]) -> None:
        self.peer = ""
        self.asked = False
        """Whether the request is complete."""
        self.began = 0.0
        """When it was accepted, by the loop's clock."""
        self._received = False  # whether the peer has sent a byte
        self._bound = bound
        self._inner = make(self._complete)
        self._transport: asyncio.Transport | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the limits."""
        self._transport = cast("asyncio.Transport", transport)
        self.peer = network_of(transport.get_extra_info("peername"))
        loop = asyncio.get_running_loop()
        self.began = loop.time()
        self._timers = [
            loop.call_later(self._bound.request_seconds, self._end_unasked),
            loop.call_later(self._bound.seconds, self.end),
        ]
        self._bound.enter(self)
        self._inner.connection_made(transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._received = True
        self._inner.data_received(data)

    def eof_received(self) -> bool:
        """Keep a connection with a request open for a while: the response may still be wanted."""
        self._inner.eof_received()
        if self._received:
            self._timers.append(asyncio.get_running_loop().call_later(self._bound.half_closed_seconds, self.end))
        return self._received

    @override
    def pause_writing(self) -> None:
        self._inner.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the limits."""
        for timer in self._timers:
            timer.cancel()
        self._bound.leave(self)
        self._inner.connection_lost(exc)

    def end(self) -> None:
        """Close at once; unsent bytes are dropped."""
        if self._transport is not None:
            self._transport.abort()

    def _complete(self) -> None:
        self.asked = True

    def _end_unasked(self) -> None:
        if not self.asked:
            self.end()


def network_of(peername: object) -> str:
    """Return the peer that a connection counts for: an IPv4 address, or the network of an IPv6 one."""
    host = peername[0] if isinstance(peername, tuple) and peername else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), NETWORK_BITS), strict=False))
