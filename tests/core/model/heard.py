"""The inputs of a conversation, and its results."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Happening(NamedTuple):
    """An input of the listener: bytes, `eof` or `drain`."""

    at: int
    what: bytes | str


@dataclass
class Heard:
    """What comes of a conversation: what is sent, `fin`, and how it ends, each with its time; and what is counted."""

    transcript: list[tuple[int, bytes | str]] = field(default_factory=list)
    rules: list[int] = field(default_factory=list)
    unmatched: int = 0
    events: list[int] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    truncated: int = 0

    def say(self, at: int, what: bytes | str) -> None:
        """Bytes sent at one time are one send: how they were split does not matter."""
        last = self.transcript[-1] if self.transcript else None
        if isinstance(what, bytes) and last and last[0] == at and isinstance(last[1], bytes):
            self.transcript[-1] = (at, last[1] + what)
        elif what:
            self.transcript.append((at, what))
