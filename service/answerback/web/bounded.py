"""Connections of the HTTP server, bounded in number, by peer, and in time."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Final, cast

from answerback.net import fd_reserve

# Rule: a new connection always gets a place. When all are taken, the oldest connection that has not finished its
#       request is closed for it: a probe sends its request at once, so strangers cannot keep it out. Where a peer has
#       several that are being answered, one of these goes before one that has come just now.
# Rule: a connection holds its place for CONNECTION_SECONDS at most, however slowly its peer sends or reads.

CONNECTIONS: Final = 64  # a scraper, some probes and a few people; each costs some 100 kB at worst
CONNECTIONS_PER_PEER: Final = 16  # one address; a /64 is one peer with IPv6
REQUEST_SECONDS: Final = 5.0  # for the request line and the headers
NEW_SECONDS: Final = 0.25  # in which a probe has sent its request, unless its machine is very busy
CONNECTION_SECONDS: Final = 10.0  # for one request and its response: there are no second ones

NETWORK_BITS: Final = 64  # of an IPv6 address: a host has all addresses of its network


class Bound:
    """How many connections there may be, in all and of one peer, and for how long."""

    def __init__(
        self,
        connections: int | None = None,
        per_peer: int = CONNECTIONS_PER_PEER,
        request_seconds: float = REQUEST_SECONDS,
        seconds: float = CONNECTION_SECONDS,
        new_seconds: float = NEW_SECONDS,
    ) -> None:
        """`connections`: CONNECTIONS, or as many as the limit of descriptors allows, unless given."""
        self.connections = fd_reserve.bounded(CONNECTIONS) if connections is None else connections
        self.per_peer = per_peer
        self.request_seconds = request_seconds
        self.seconds = seconds
        self.new_seconds = new_seconds
        self._places: dict[BoundedProtocol, None] = {}  # the oldest first

    @property
    def open(self) -> int:
        """How many connections hold a place."""
        return len(self._places)

    @property
    def asked(self) -> int:
        """How many of them have sent their whole request."""
        return sum(place.asked for place in self._places)

    def enter(self, newcomer: "BoundedProtocol") -> None:
        """Give a connection a place; close another one if there is none left."""
        own = [place for place in self._places if place.peer == newcomer.peer]
        if len(own) >= self.per_peer:
            self._evict(own)
        if len(self._places) >= self.connections:
            self._evict(list(self._places))
        self._places[newcomer] = None

    def leave(self, place: "BoundedProtocol") -> None:
        """Free the place of a connection."""
        self._places.pop(place, None)

    def _evict(self, places: "list[BoundedProtocol]") -> None:
        """Close one of these connections, the oldest first."""
        counts = Counter(place.peer for place in places)
        since = asyncio.get_running_loop().time() - self.new_seconds
        waited = [place for place in places if not place.asked and place.began <= since]
        if waited:
            victim = max(
                waited, key=lambda place: counts[place.peer]
            )  # the first, so the oldest, of the peer with most
        else:
            most = max(counts.values())
            heaviest = [place for place in places if counts[place.peer] == most]
            answered_first = most > 1
            victim = next((place for place in heaviest if place.asked == answered_first), heaviest[0])
        self.leave(victim)
        victim.end()


class BoundedProtocol(asyncio.Protocol):
    """Passes a connection's events to the protocol that `make` makes, while the connection holds a place.

    `make` gets a function to call when the request is complete.
    """

    def __init__(self, bound: Bound, make: Callable[[Callable[[], None]], asyncio.Protocol]) -> None:
        self.peer = ""
        self.asked = False
        """Whether the request is complete."""
        self.began = 0.0
        """When it was accepted, by the loop's clock."""
        self._bound = bound
        self._inner = make(self._complete)
        self._transport: asyncio.Transport | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place."""
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

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        for timer in self._timers:
            timer.cancel()
        self._bound.leave(self)
        self._inner.connection_lost(exc)

    def end(self) -> None:
        """Close at once, whatever has not been sent."""
        if self._transport is not None:
            self._transport.abort()

    def _complete(self) -> None:
        self.asked = True

    def _end_unasked(self) -> None:
        if not self.asked:
            self.end()


def network_of(peername: object) -> str:
    """Whom to count a connection for: an IPv4 address, or the network of an IPv6 one."""
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
