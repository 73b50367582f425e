"""A simulated connection's peer, random generator, clock and counters."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from answerback.core.playing import Surroundings
from answerback.language.addresses import is_unix
from answerback.v1 import config_pb2 as v1

PEER_PORT: Final = 50_000


@dataclass
class FakeConnection:
    """The connection and listener of a simulation. See `core.playing.Surroundings`."""

    peer: tuple[str, int]
    local_port: int
    chance: random.Random
    wall_clock: Callable[[], datetime]
    connection_id: str = "1"
    counts: dict[int, int] = field(default_factory=dict)

    def clock(self) -> float:
        """See `Surroundings.clock`: no virtual time passes while a session works."""
        return 0.0

    def claim(self, place: int, most: int) -> int | None:
        """See `Surroundings.claim`."""
        number = self.counts.get(place, 0)
        if most and number >= most:
            return None
        self.counts[place] = number + 1
        return number


def surroundings(
    listener: v1.Listener, peer: str, random_seed: int | None, wall_clock: Callable[[], datetime]
) -> Surroundings:
    """Return those of a listener's first connection, from the address `peer`; a Unix socket has no peer address."""
    unix = is_unix(listener)
    return FakeConnection(
        peer=("", 0) if unix else (peer, PEER_PORT),
        local_port=0 if unix else int(listener.address.rpartition(":")[2]),
        chance=random.Random(random_seed or 0),  # noqa: S311 - not for secrets
        wall_clock=wall_clock,
    )
