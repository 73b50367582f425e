"""When a fault strikes, and how a reply goes through all of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Final, Protocol

from answerback.core.actions import CloseReason
from answerback.core.counting import take
from answerback.core.faults.base import Effect, Reply, Strike
from answerback.core.faults.slow_close import SlowClose
from answerback.core.steps import End, Outcome

COUNTERS: Final = 2  # places of each fault where all connections count: the replies, and the strikes

Claim = Callable[[int, int], int | None]
"""Takes the next number, from 0, of the count at a place; None once so many are taken (0: never)."""


class Own:
    """What a connection keeps of a fault whose scope it is."""

    __slots__ = ("counts", "strike", "tossed")

    def __init__(self, chance: Random, *, tossed: bool) -> None:
        self.tossed = tossed  # how its coin fell
        self.counts: dict[int, int] = {}
        self.strike = Strike(chance)

    def claim(self, place: int, most: int) -> int | None:
        """See `Claim`."""
        return take(self.counts, place, most)


class Struck(Protocol):
    """The connection whose reply it is."""

    @property
    def chance(self) -> Random:
        """The listener's generator."""

    @property
    def own_faults(self) -> "dict[Fault, Own]":
        """Of the faults whose scope is the connection."""

    def count(self, place: int, most: int) -> int | None:
        """See `Claim`; all connections of the listener take of the same numbers."""

    def struck(self, fault: int) -> None:
        """The fault with this place strikes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to misbehave, and when; `place` is where its strikes are counted in the tally."""

    name: str
    place: int
    effect: Effect
    probability: float = 1.0
    """More than 0: a fault that never strikes is in no plan."""
    per_connection: bool = False
    """Whether one coin is tossed for a whole connection, and the connection's replies are counted by themselves."""
    skip: int = 0
    """How many replies are spared first."""
    times: int = 0
    """How often it strikes; 0 for always."""
    every: int = 1
    """Which of the replies behind those are struck: every one, every other one, …"""
    counter: int = 0
    """The first of its COUNTERS."""

    def on(self, reply: Reply, connection: Struck) -> Iterator[Outcome]:
        """The reply as it comes out."""
        for outcome in reply:
            if self.effect.touches(outcome):
                rest = chain((outcome,), reply)
                strike = self._strike(connection)
                yield from rest if strike is None else self.effect.on(rest, strike)
                return
            yield outcome

    def _strike(self, connection: Struck) -> Strike | None:
        """Settle whether it strikes a reply."""
        if self.per_connection:
            own = connection.own_faults.get(self)
            if own is None:
                own = connection.own_faults[self] = Own(connection.chance, tossed=self._toss(connection.chance))
            strikes = own.tossed and self._due(own.claim) and self._has_turns_left(own.claim)
            strike = own.strike
        else:
            claim = connection.count
            strikes = self._due(claim) and self._toss(connection.chance) and self._has_turns_left(claim)
            strike = Strike(connection.chance)
        if not strikes:
            return None
        connection.struck(self.place)
        return strike

    def _toss(self, chance: Random) -> bool:
        return self.probability >= 1 or chance.random() < self.probability

    def _due(self, claim: Claim) -> bool:
        """Whether it is this reply's turn."""
        if self.every == 1:
            return not self.skip or claim(self.counter, self.skip) is None
        number = claim(self.counter, 0)
        return number is not None and number >= self.skip and (number - self.skip + 1) % self.every == 0

    def _has_turns_left(self, claim: Claim) -> bool:
        return not self.times or claim(self.counter + 1, self.times) is not None


def through(faults: Sequence[Fault], reply: Reply, connection: Struck) -> Reply:
    """A reply through all faults, in their order."""
    reply = chain((None,), reply)
    for fault in faults:
        reply = fault.on(reply, connection)
    return reply


def farewell(faults: Sequence[Fault], reason: CloseReason, connection: Struck) -> Reply:
    """A close in order that is no part of a reply, through those faults that are about closing."""
    reply: Reply = iter((End(by_reset=False, reason=reason),))
    for fault in faults:
        if isinstance(fault.effect, SlowClose):
            reply = fault.on(reply, connection)
    return reply
