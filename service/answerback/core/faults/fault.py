"""When a fault applies, and how a reply passes through all faults."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Final

from answerback.core.actions import CloseReason
from answerback.core.bounded_counter import BoundedCounters, CountedFor, NextNumber
from answerback.core.context import RequestContext
from answerback.core.faults.base import Effect, FaultState, Reply
from answerback.core.faults.slow_close import SlowClose
from answerback.core.faults.tls import Tls
from answerback.core.steps import EndSession, StepResult

# Cells of each fault that all connections share: replies considered, times applied, and the start of their window.
COUNTERS: Final = 3


class ConnectionFaultState:
    """A connection's own state of a fault that is decided, or counted, for each connection."""

    __slots__ = ("chosen", "counters", "state")

    def __init__(self, context: RequestContext) -> None:
        self.chosen: bool | None = None  # whether the connection is one that the fault applies to; None: undecided
        self.counters: BoundedCounters[int] = BoundedCounters(context.clock)
        self.state = FaultState(context.chance)


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect and when it applies. `cell` is the cell that counts how often it applied."""

    name: str
    cell: int
    effect: Effect
    probability: float = 1.0
    """Greater than 0: a fault that never applies is in no plan."""
    per_connection: bool = False
    """Whether it is decided once per connection, not for each reply."""
    scope: CountedFor = CountedFor.LISTENER
    """What `skip`, `times` and `every` count for; decided per connection, they count replies only for CONNECTION."""
    skip: int = 0
    """The number of first replies to which it does not apply."""
    times: int = 0
    """How often it applies; 0 for unlimited."""
    window_seconds: float = 0.0
    """The time for which `times` counts; 0 for unlimited."""
    every: int = 1
    """After `skip`, it considers every N-th reply."""
    sequence_cell: int = 0
    """The first of its COUNTERS cells."""
    rules: frozenset[str] = frozenset()
    """The names of the rules to whose replies it applies; all replies, and other closes, if empty."""
    read_rate: int = 0
    """The bytes per second that are read from the peer; 0 for a fault in replies."""
    handshake: Tls | None = None
    """How it ends a handshake of TLS; None for a fault in replies."""

    @property
    def counted(self) -> bool:
        """Whether it depends on how many replies, or connections, came before."""
        return bool(self.skip or self.times) or self.every > 1

    def concerns(self, rule: str) -> bool:
        """Whether it may apply to the replies of the rule with this name."""
        return not self.rules or rule in self.rules

    def transform(self, reply: Reply, context: RequestContext) -> Iterator[StepResult]:
        """Transform the reply, if the fault applies to it."""
        for result in reply:
            if self.effect.applies_to(result):
                rest = chain((result,), reply)
                state = self.decide(context)
                yield from rest if state is None else self.effect.transform(rest, state)
                return
            yield result

    def decide(self, context: RequestContext) -> FaultState | None:
        """Decide whether the fault applies to this reply, to what is read, or to this handshake; its state if so."""
        scope, chance = self.scope, context.chance
        if self.per_connection:
            own = self._own_state(context)
            if scope is CountedFor.CONNECTION:
                count = own.counters.next_number
                if own.chosen is None:
                    own.chosen = self._sample(chance)
                applies = own.chosen and self._due(count) and self._may_apply_again(count)
            else:
                if own.chosen is None:
                    own.chosen = self._applies(self._count(context), chance)
                applies = own.chosen
            state = own.state
        else:
            applies = self._applies(self._count(context), chance)
            state = FaultState(chance)
        if not applies:
            return None
        context.fault_applied(self.cell)
        return state

    def _own_state(self, context: RequestContext) -> ConnectionFaultState:
        own = context.fault_states.get(self)
        if own is None:
            own = context.fault_states[self] = ConnectionFaultState(context)
        return own

    def _count(self, context: RequestContext) -> NextNumber:
        """Return what counts for the scope."""
        if self.scope is CountedFor.LISTENER:
            return context.next_number
        if self.scope is CountedFor.PEER:
            return context.next_number_of_peer
        return self._own_state(context).counters.next_number

    def _applies(self, count: NextNumber, chance: Random) -> bool:
        return self._due(count) and self._sample(chance) and self._may_apply_again(count)

    def _sample(self, chance: Random) -> bool:
        return self.probability >= 1 or chance.random() < self.probability

    def _due(self, count: NextNumber) -> bool:
        """Whether `skip` and `every` select this reply."""
        if self.every == 1:
            return not self.skip or count(self.sequence_cell, self.skip) is None
        number = count(self.sequence_cell, 0)
        return number is not None and number >= self.skip and (number - self.skip + 1) % self.every == 0

    def _may_apply_again(self, count: NextNumber) -> bool:
        return not self.times or count(self.sequence_cell + 1, self.times, self.window_seconds) is not None


def apply_all(faults: Sequence[Fault], reply: Reply, context: RequestContext, rule: str) -> Reply:
    """Pass a reply of the rule with this name through the faults that concern it, in order."""
    reply = chain((None,), reply)
    for fault in faults:
        if fault.concerns(rule):
            reply = fault.transform(reply, context)
    return reply


def apply_to_close(faults: Sequence[Fault], reason: CloseReason, context: RequestContext) -> Reply:
    """Pass an orderly close that is not part of a reply through the faults that affect closing."""
    reply: Reply = iter((EndSession(by_reset=False, reason=reason),))
    for fault in faults:
        if isinstance(fault.effect, SlowClose) and not fault.rules:
            reply = fault.transform(reply, context)
    return reply
