"""`tls`: the handshake of TLS breaks off."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from answerback.core.faults.base import FaultState, Reply
from answerback.core.steps import StepResult


class Point(IntEnum):
    """How far a handshake comes. The numbers are those of the schema."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    FINISHED = 3


class Ending(Enum):
    """What happens to the connection then."""

    STALL = "stall"
    """It stays open, and nothing is read or sent."""
    RESET = "reset"
    CLOSE = "close"
    """It is closed in order, without a word of TLS."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Ends a handshake at a point. The layer of TLS asks for it; replies are left alone."""

    after: Point
    ending: Ending
    last_words: bytes = b""
    """What is sent in the clear before the end: an alert, or text."""

    def applies_to(self, result: StepResult) -> bool:  # noqa: ARG002 - whatever it is
        """Nothing of a reply."""
        return False

    def transform(self, reply: Reply, state: FaultState) -> Reply:  # noqa: ARG002 - there is nothing to change
        """Pass the reply on."""
        return reply


def alert(number: int) -> bytes:
    """Return the record of a fatal alert (RFC 8446, 5.1 and 6)."""
    return bytes((21, 3, 3, 0, 2, 2, number))
