"""Contexts for matches and templates without a session."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from answerback.core import patterns
from answerback.core.context import Captures

MOMENT = datetime(2025, 1, 2, 3, 4, 5, 67890, tzinfo=UTC)


@dataclass
class Groups:
    """A match, without a pattern: what its groups are, by number and by name in bytes, as RE2 has them."""

    found: Mapping[int | bytes, bytes | None]

    def group(self, group: int | str | bytes, /) -> bytes | None:
        assert not isinstance(group, str), "RE2 in its Latin-1 mode names groups in bytes"
        if group not in self.found:
            raise IndexError(group)
        return self.found[group]


@dataclass
class MadeUp:
    """A turn of which everything can be said."""

    request: bytes = b""
    captures: Captures | None = None
    state: str = ""
    number: int = 1
    variables: dict[str, bytes] = field(default_factory=dict)
    listener: str = "it"
    connection_id: str = "5f2c-1"
    peer: tuple[str, int] = ("192.0.2.7", 40123)
    local_port: int = 7001
    seed: int = 7
    moment: datetime = MOMENT

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        return lambda: self.moment


def matched(pattern: str, request: bytes, **rest: str | int | dict[str, bytes]) -> MadeUp:
    """The turn of a request that this pattern made a rule match."""
    captures = patterns.compile(pattern).search(request)
    assert captures is not None
    return MadeUp(request, captures, **rest)  # type: ignore[arg-type]
