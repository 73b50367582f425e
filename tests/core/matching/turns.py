"""Turns to be matched, without a session."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from answerback.core.matching import Matcher
from answerback.core.turn import Captures


@dataclass
class FakeTurn:
    """A turn that is as the test says."""

    request: bytes = b""
    captures: Captures | None = None
    state: str = ""
    number: int = 1
    variables: dict[str, bytes] = field(default_factory=dict)
    listener: str = "it"
    connection_id: str = "1"
    peer: tuple[str, int] = ("192.0.2.7", 40000)
    local_port: int = 8000
    chance: Random = field(default_factory=Random)
    wall_clock: Callable[[], datetime] = lambda: datetime(2026, 1, 1, tzinfo=UTC)


def asked(matches: Matcher, request: bytes, turn: FakeTurn | None = None) -> bool:
    """Whether it matches, asked as a session asks."""
    turn = turn or FakeTurn()
    turn.request = request
    answer = matches(request, turn)
    assert answer is True or answer is False
    return answer
