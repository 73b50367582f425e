"""When a fault applies, and how a reply passes through all faults."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Final, Protocol

from answerback.core.actions import CloseReason
from answerback.core.counting import take
from answerback.core.faults.base import Effect, FaultState, Reply
from answerback.core.faults.slow_close import SlowClose
from answerback.core.steps import End, Outcome

COUNTERS: Final = 2  # cells of each fault that all connections share: replies considered, and times applied

Claim = Callable[[int, int], int | None]
"""Takes the next number, from 0, of the counter at a place; None once the maximum is reached (0: never)."""


class ConnectionFaultState:
    """A connection's own state of a fault with scope CONNECTION."""

    __slots__ = ("counts", "strike", "tossed")

    def __init__(self, chance: Random, *, tossed: bool) -> None:
        self.tossed = tossed  # the result of `probability`
        self.counts: dict[int, int] = {}
        self.strike = FaultState(chance)

    def claim(self, place: int, most: int) -> int | None:
        """Count on this connection. See `Claim`."""
        return take(self.counts, place, most)


class FaultedConnection(Protocol):
    """The connection as its faults see it."""

    @property
    def chance(self) -> Random:
        """The listener's random generator."""

    @property
    def own_faults(self) -> "dict[Fault, ConnectionFaultState]":
        """State of the faults with scope CONNECTION."""

    def count(self, place: int, most: int) -> int | None:
        """Count for all connections of the listener. See `Claim`."""

    def struck(self, fault: int) -> None:
        """Report that the fault with this place applies."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect and when it applies. `place` is the cell that counts how often it applied."""

    name: str
    place: int
    effect: Effect
    probability: float = 1.0
    """Greater than 0: a fault that never applies is in no plan."""
    per_connection: bool = False
    """Whether the scope is CONNECTION: one random decision, and counting, per connection."""
    skip: int = 0
    """The number of first replies to which it does not apply."""
    times: int = 0
    """How often it applies; 0 for unlimited."""
    every: int = 1
    """After `skip`, it considers every N-th reply."""
    counter: int = 0
    """The first of its COUNTERS cells."""

    def on(self, reply: Reply, connection: FaultedConnection) -> Iterator[Outcome]:
        """Transform the reply, if the fault applies to it."""
        for outcome in reply:
            if self.effect.applies_to(outcome):
                rest = chain((outcome,), reply)
                strike = self._strike(connection)
                yield from rest if strike is None else self.effect.on(rest, strike)
                return
            yield outcome

    def _strike(self, connection: FaultedConnection) -> FaultState | None:
        """Decide whether the fault applies to this reply; its state if so."""
        if self.per_connection:
            own = connection.own_faults.get(self)
            if own is None:
                own = connection.own_faults[self] = ConnectionFaultState(
                    connection.chance, tossed=self._toss(connection.chance)
                )
            strikes = own.tossed and self._due(own.claim) and self._has_turns_left(own.claim)
            strike = own.strike
        else:
            claim = connection.count
            strikes = self._due(claim) and self._toss(connection.chance) and self._has_turns_left(claim)
            strike = FaultState(connection.chance)
        if not strikes:
            return None
        connection.struck(self.place)
        return strike

    def _toss(self, chance: Random) -> bool:
        return self.probability >= 1 or chance.random() < self.probability

    def _due(self, claim: Claim) -> bool:
        """Whether `skip` and `every` select this reply."""
        if self.every == 1:
            return not self.skip or claim(self.counter, self.skip) is None
        number = claim(self.counter, 0)
        return number is not None and number >= self.skip and (number - self.skip + 1) % self.every == 0

    def _has_turns_left(self, claim: Claim) -> bool:
        return not self.times or claim(self.counter + 1, self.times) is not None


def apply_all(faults: Sequence[Fault], reply: Reply, connection: FaultedConnection) -> Reply:
    """Pass a reply through all faults, in order."""
    reply = chain((None,), reply)
    for fault in faults:
        reply = fault.on(reply, connection)
    return reply


def apply_to_close(faults: Sequence[Fault], reason: CloseReason, connection: FaultedConnection) -> Reply:
    """Pass an orderly close that is not part of a reply through the faults that affect closing."""
    reply: Reply = iter((End(by_reset=False, reason=reason),))
    for fault in faults:
        if isinstance(fault.effect, SlowClose):
            reply = fault.on(reply, connection)
    return reply
