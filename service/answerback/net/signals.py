"""The signals of scripts: what they give goes to the supervisor, which knows who waits longest in all workers."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from answerback.core.session import HeaderReader, Session, SlowReader, TlsLayer

# Rule: what happens within BATCH_SECONDS is one message: a client that gives signals without end costs the supervisor
#       no more than a thousand small messages a second.

BATCH_SECONDS: Final = 0.001


@dataclass(frozen=True, slots=True)
class Waits:
    """A script waits, under a number that is used once."""

    wait: int
    signal: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """A wait ended without a signal."""

    wait: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A wait ended by the signal that it was granted."""

    wait: int


@dataclass(frozen=True, slots=True)
class Returned:
    """The signal that a wait was granted was not needed."""

    wait: int


@dataclass(slots=True)
class Given:
    """Scripts gave a signal this often."""

    signal: str
    count: int = 1


Act = Waits | GaveUp | Taken | Returned | Given


def tell_nobody(_acts: Sequence[Act]) -> None:
    """Drop what happens: there is no supervisor."""


class Waiting(Protocol):
    """A connection whose script waits."""

    @property
    def session(self) -> "Session | SlowReader | TlsLayer | HeaderReader | None":
        """Its conversation."""

    def wake(self) -> None:
        """The script may go on."""


class Signals:
    """The waits of one worker. `tell` sends the supervisor what scripts did."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[Sequence[Act]], None] = tell_nobody) -> None:
        self._loop = loop
        self._tell = tell
        self._numbers = count(1)
        self._waiting: dict[int, Waiting] = {}
        self._acts: list[Act] = []

    def give(self, signal: str) -> None:
        """A script gives a signal."""
        last = self._acts[-1] if self._acts else None
        if type(last) is Given and last.signal == signal:
            last.count += 1
        else:
            self._note(Given(signal))

    def wait(self, signal: str, connection: Waiting) -> int:
        """Wait for a signal; return the number of the wait."""
        number = next(self._numbers)
        self._waiting[number] = connection
        self._note(Waits(number, signal))
        return number

    def give_up(self, number: int) -> None:
        """End a wait without a signal, unless it has one already."""
        if self._waiting.pop(number, None) is not None:
            self._note(GaveUp(number))

    def granted(self, numbers: Iterable[int]) -> None:
        """The supervisor has a signal for each of these waits."""
        for number in numbers:
            connection = self._waiting.pop(number, None)
            session = None if connection is None else connection.session
            if connection is not None and session is not None and session.signal_granted():
                self._note(Taken(number))
                connection.wake()
            else:
                self._note(Returned(number))

    def flush(self) -> None:
        """Tell the supervisor now what has happened."""
        acts, self._acts = self._acts, []
        if acts:
            self._tell(acts)

    def _note(self, act: Act) -> None:
        if not self._acts:
            self._loop.call_later(BATCH_SECONDS, self.flush)
        self._acts.append(act)
