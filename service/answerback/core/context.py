"""What matches, steps and templates can access: the request being answered, and its connection."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

# Rule: values that are costly to obtain (the peer's address, a variable) are looked up on demand.


class Captures(Protocol):
    """The groups of the pattern that made the rule match (an RE2 match)."""

    def group(self, group: int | str, /) -> bytes | None:
        """The bytes of the group; None if it took no part. IndexError if there is no such group."""


class ConnectionInfo(Protocol):
    """The connection of a conversation, with its random generator and clock."""

    @property
    def connection_id(self) -> str:
        """The connection's id, unique within this run."""

    @property
    def peer(self) -> tuple[str, int]:
        """The client's address and port; ("", 0) on a Unix socket."""

    @property
    def local_port(self) -> int:
        """The local port; 0 on a Unix socket."""

    @property
    def chance(self) -> random.Random:
        """The listener's random generator; nothing else may be used for randomness."""

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        """A function that returns the current time, UTC."""


class RequestContext(ConnectionInfo, Protocol):
    """A request, or another event, that is being answered."""

    request: bytes
    """The request as rules see it; empty for other events."""
    captures: Captures | None
    """The groups of the rule's pattern; None if the rule matched without a pattern."""
    state: str
    number: int
    """The request's number on its connection, from 1; 0 before the first."""

    @property
    def variables(self) -> dict[str, bytes]:
        """The variables that `set` and `receive` have stored on this connection."""

    @property
    def listener(self) -> str:
        """The listener's name."""
