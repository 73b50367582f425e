"""What matches, steps and templates may look at: the request being answered, and its connection."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

# Rule: what is costly to know (the peer's address, a variable) is looked up when it is asked for, not kept ready.


class Captures(Protocol):
    """The groups of the pattern that made the rule match (an RE2 match)."""

    def group(self, group: int | str, /) -> bytes | None:
        """The bytes of the group; None if it took no part. IndexError if there is no such group."""


class Setting(Protocol):
    """Where a conversation takes place: its connection, and chance and time as it has them."""

    @property
    def connection_id(self) -> str:
        """Unique among the connections of this run."""

    @property
    def peer(self) -> tuple[str, int]:
        """Its address and port; ("", 0) where there is none."""

    @property
    def local_port(self) -> int:
        """The port that was connected to; 0 where there is none."""

    @property
    def chance(self) -> random.Random:
        """The listener's generator: nothing else may be used for chance."""

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        """The time of day, UTC."""


class Turn(Setting, Protocol):
    """One turn of a conversation: a request, or another event, and its answer."""

    request: bytes
    """As rules see it; empty where the event is no request."""
    captures: Captures | None
    """None if no pattern made the rule match."""
    state: str
    number: int
    """Of the request on its connection, from 1; 0 before the first."""

    @property
    def variables(self) -> dict[str, bytes]:
        """What `set` and `take` have remembered on this connection."""

    @property
    def listener(self) -> str:
        """The listener's name."""
