"""A simulated connection's peer, random generator, clock and counters."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from answerback.core.bounded_counter import BoundedCounters
from answerback.core.matching import Mismatch
from answerback.language.addresses import is_unix
from answerback.v1 import config_pb2 as v1

PEER_PORT: Final = 50_000


@dataclass
class FakeConnection:
    """The connection and listener of a simulation. See `core.context.ConnectionInfo`."""

    peer: tuple[str, int]
    local_port: int
    chance: random.Random
    wall_clock: Callable[[], datetime]
    clock: Callable[[], float]
    connection_id: str = "1"
    connection_number: int = 1
    listener_number: int = 1
    counters: BoundedCounters[int] = field(init=False)

    def __post_init__(self) -> None:
        """Count by the virtual clock."""
        self.counters = BoundedCounters(self.clock)

    def next_number(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Count for all connections of the listener, of which there is one."""
        return self.counters.next_number(cell, max_numbers, window_seconds)

    def unexpected(self, rule: str, explain: Callable[[], Mismatch], /) -> None:
        """Nothing: the observer has been told."""


def fake_connection(
    listener: v1.Listener,
    peer: str,
    random_seed: int | None,
    wall_clock: Callable[[], datetime],
    clock: Callable[[], float],
) -> FakeConnection:
    """Return a listener's first connection, from the address `peer`; a Unix socket has no peer address."""
    unix = is_unix(listener)
    return FakeConnection(
        peer=("", 0) if unix else (peer, PEER_PORT),
        local_port=0 if unix else int(listener.address.rpartition(":")[2]),
        chance=random.Random(random_seed or 0),  # noqa: S311 - not for secrets
        wall_clock=wall_clock,
        clock=clock,
    )
