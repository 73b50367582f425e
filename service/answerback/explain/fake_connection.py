"""A simulated connection's peer, random generator, clock and counters."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from answerback.core.bounded_counter import BoundedCounters
from answerback.core.matching import Mismatch
from answerback.core.shared_view import total_of
from answerback.core.tls import TlsNames
from answerback.language.addresses import is_unix
from answerback.language.proxy_protocol import without_peers
from answerback.v1 import config_pb2 as v1

PEER_PORT: Final = 50_000
PROXY_HOST: Final = "127.0.0.1"


class LocalVariables:
    """The shared variables of a simulation, without bounds. See `core.shared_view.SharedView`."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def get(self, key: bytes, /) -> bytes | None:
        """Read a variable."""
        return self._values.get(key)

    def put(self, key: bytes, value: bytes, /) -> None:
        """Store a value."""
        self._values[key] = value

    def delete(self, key: bytes, /) -> None:
        """Remove a variable."""
        self._values.pop(key, None)

    def add(self, key: bytes, by: int, /) -> bytes:
        """Add to a number."""
        self._values[key] = total = b"%d" % total_of(self._values.get(key), by)
        return total


class LocalSignals:
    """The signals of a simulation, without bounds."""

    def __init__(self) -> None:
        self._kept: Counter[str] = Counter()
        self._waiting: list[tuple[str, FakeConnection]] = []

    def give(self, name: str) -> None:
        """End the longest wait for it, or keep it."""
        for place in list(self._waiting):
            if place[0] == name:
                self._waiting.remove(place)
                if place[1].granted():
                    return
        self._kept[name] += 1

    def wait(self, name: str, connection: "FakeConnection") -> None:
        """Take a kept signal, or wait."""
        if self._kept[name] and connection.granted():
            self._kept[name] -= 1
        else:
            self._waiting.append((name, connection))

    def forgo(self, connection: "FakeConnection") -> None:
        """Wait no longer."""
        self._waiting = [place for place in self._waiting if place[1] is not connection]


@dataclass
class FakeConnection:
    """The connection and listener of a simulation. See `core.context.ConnectionInfo`."""

    peer: tuple[str, int]
    local_port: int
    chance: random.Random
    wall_clock: Callable[[], datetime]
    clock: Callable[[], float]
    proxy_host: str = ""
    connection_id: str = "1"
    connection_number: int = 1
    listener_number: int = 1
    tls: TlsNames | None = None
    """None: it plays what is inside TLS, where nothing is known of a handshake."""
    variables: LocalVariables = field(default_factory=LocalVariables)
    counters: BoundedCounters[int] = field(init=False)
    peer_counters: BoundedCounters[tuple[int, str]] = field(init=False)
    signals: LocalSignals = field(default_factory=LocalSignals)
    granted: Callable[[], bool] = lambda: False
    """Called once the signal that the script waits for is given; False if it waits no longer."""

    def __post_init__(self) -> None:
        """Count by the virtual clock."""
        self.counters = BoundedCounters(self.clock)
        self.peer_counters = BoundedCounters(self.clock)

    def next_number(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Count for all connections of the listener."""
        return self.counters.next_number(cell, max_numbers, window_seconds)

    def connection_key(self) -> tuple[int, str, int]:
        """See `context.SessionConnection`."""
        return self.connection_number, *self.peer

    def next_number_of_peer(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Count for all connections of this peer."""
        return self.peer_counters.next_number((cell, self.peer[0]), max_numbers, window_seconds)

    def unexpected(self, rule: str, explain: Callable[[], Mismatch], /) -> None:
        """Nothing: the observer has been told."""

    def give_signal(self, name: str, /) -> None:
        """Wake the connection that waits longest."""
        self.signals.give(name)

    def await_signal(self, name: str, /) -> None:
        """Wait, unless a signal is kept."""
        self.signals.wait(name, self)

    def forgo_signal(self) -> None:
        """Wait no longer."""
        self.signals.forgo(self)

    def shared_view(self) -> LocalVariables:
        """Return the variables, which nothing else changes meanwhile."""
        return self.variables


def fake_connection(
    listener: v1.Listener,
    peer: str,
    random_seed: int | None,
    wall_clock: Callable[[], datetime],
    clock: Callable[[], float],
) -> FakeConnection:
    """Return a listener's first connection, from the address `peer`; a Unix socket has no peer address.

    With `proxy_protocol`, a proxy on this machine has named the peer in a header.
    """
    unix, proxied = is_unix(listener), listener.HasField("proxy_protocol")
    return FakeConnection(
        peer=("", 0) if without_peers(listener) else (peer, PEER_PORT),
        proxy_host=PROXY_HOST if proxied and not unix else "",
        local_port=0 if unix else int(listener.address.rpartition(":")[2]),
        chance=random.Random(random_seed or 0),  # noqa: S311 - not for secrets
        wall_clock=wall_clock,
        clock=clock,
    )


def next_connection(before: FakeConnection, number: int, peer: str) -> FakeConnection:
    """Return another connection to the same listener, which shares counters, variables and random numbers."""
    host, port = before.peer
    following = replace(
        before,
        peer=(peer, port + 1) if host else before.peer,
        connection_id=str(number),
        connection_number=number,
        listener_number=number,
    )
    following.counters, following.peer_counters = before.counters, before.peer_counters
    return following
