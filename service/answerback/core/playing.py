"""The script in progress on a connection, and the state that its steps read and change."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from math import inf
from types import GeneratorType
from typing import TYPE_CHECKING, Final, Protocol

from answerback.core.actions import Action, CloseReason, HalfClose, Send
from answerback.core.context import Captures, ConnectionInfo
from answerback.core.counting import take
from answerback.core.ending import HALF_CLOSED, NOTHING, Ending
from answerback.core.faults import ConnectionFaultState, Fault, Reply, apply_all, apply_to_close
from answerback.core.plan import PlanInForce, Rule, Rules, Selector
from answerback.core.session_metrics import SessionMetrics
from answerback.core.steps import END_AS_TOO_LARGE, End, Hold, Outcome, Step, Switch, Take, Wait
from answerback.core.templates import TooLong

if TYPE_CHECKING:
    from answerback.core.framing import Framing

# Rule: a suspended script is the iterator of its remaining steps, and resumes where it stopped.

HOLD_SECONDS = 3600.0  # duration of `hang` if the listener has no max_lifetime
# Max. bytes of replies that the kernel has not taken: bounds the cost of a client that never reads.
OUTPUT_AHEAD = 64 << 10
# CPU time that a connection may use before other connections run. 60 connections that each use it up in one iteration
# of the event loop take 60 ms. Stopping and resuming costs some 10 us, 1 % of it.
TURN_SECONDS = 0.001
FREE_STEPS = 3  # steps taken before the clock is read: most scripts have no more
STEPS_AT_ONCE = 8  # steps that a fault may swallow before the clock is read
END_OF_HANG: Final = End(by_reset=False, reason=CloseReason.MAX_LIFETIME)


class Hanging(Iterator[Step]):
    """The rest of a script that hangs: the connection ends after an hour or with its lifetime."""

    __slots__ = ("ignore_fin",)

    def __init__(self, ignore_fin: bool) -> None:
        self.ignore_fin = ignore_fin

    def __next__(self) -> Step:
        """Return the only step."""
        return END_OF_HANG


class Surroundings(ConnectionInfo, Protocol):
    """What a session may ask about its connection and its listener, on demand."""

    def claim(self, place: int, most: int) -> int | None:
        """Return the next number of this counter, from 0; None once `most` numbers are given out (0: never)."""

    def clock(self) -> float:
        """The current time, by the clock that a session's `now` is from."""


class Kept:
    """State that few connections need, created on first use, so that an idle connection is small."""

    __slots__ = ("counts", "faults", "variables")

    def __init__(self) -> None:
        self.variables: dict[str, bytes] = {}
        self.counts: dict[str, int] = {}
        """How often rules that count per connection have matched, by name."""
        self.faults: dict[Fault, ConnectionFaultState] = {}


class Playing(Ending):
    """A session's script, and the context of its steps. See `context.RequestContext`."""

    __slots__ = (
        "_chosen",
        "_framing",
        "_framing_before",
        "_in_force",
        "_kept",
        "_ledger",
        "_on_request",
        "_plan",
        "_resume_at",
        "_script",
        "_selector",
        "_state",
        "_surroundings",
        "_taking",
        "_turn_began",
        "captures",
        "deadline",
        "number",
        "request",
    )

    def __init__(self, in_force: PlanInForce, ledger: SessionMetrics, surroundings: Surroundings | None) -> None:
        super().__init__()
        self._in_force = in_force
        self._plan = plan = in_force.plan
        self._ledger = ledger
        self._surroundings = surroundings
        self._framing: Framing | None = plan.framing.new_framer()
        self._framing_before: Framing | None = None  # the framing to return to, if the current one is for one request
        self._selector: Selector = plan.on_request.of("")
        self._state = ""
        self._script: Iterator[Step] | None = None  # the rest of the suspended script
        self._on_request = False  # whether that script answers a request
        self._resume_at = inf
        self._taking: Take | None = None  # the frame that the script waits for
        self._chosen: tuple[Step, ...] = ()  # the script of the rule with `times` that matched
        self._kept: Kept | None = None
        self._turn_began: float | None = 0.0  # None: the last one was used, and the next is awaited
        self.captures: Captures | None = None
        self.number = 0
        self.request = b""
        self.deadline = inf

    @property
    def wants_turn(self) -> bool:
        """Whether work is left that only waits for a turn; then nothing is read."""
        return self._turn_began is None

    @property
    def state(self) -> str:
        """See `RequestContext.state`."""
        return self._state

    @state.setter
    def state(self, name: str) -> None:
        self._state = name
        self._selector = self._plan.on_request.of(name)

    @property
    def variables(self) -> dict[str, bytes]:
        """See `RequestContext.variables`."""
        return self._own.variables

    @property
    def _own(self) -> Kept:
        kept = self._kept
        if kept is None:
            kept = self._kept = Kept()
        return kept

    @property
    def listener(self) -> str:
        """See `RequestContext.listener`."""
        return self._plan.name

    @property
    def connection_id(self) -> str:
        """See `RequestContext.connection_id`."""
        return self._asked.connection_id

    @property
    def peer(self) -> tuple[str, int]:
        """See `RequestContext.peer`."""
        return self._asked.peer

    @property
    def local_port(self) -> int:
        """See `RequestContext.local_port`."""
        return self._asked.local_port

    @property
    def chance(self) -> random.Random:
        """See `RequestContext.chance`."""
        return self._asked.chance

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        """See `RequestContext.wall_clock`."""
        return self._asked.wall_clock

    def claim(self, rule: Rule) -> bool:
        """See `plan.Asked.claim`."""
        most = rule.most
        if rule.per_connection:
            number = take(self._own.counts, rule.name, most)
        else:
            number = self._asked.claim(rule.counter, most)
        if number is None:
            return False
        self._chosen = rule.steps if rule.replies is None else rule.replies.choose(number, self.chance)
        return True

    @property
    def own_faults(self) -> dict[Fault, ConnectionFaultState]:
        """See `faults.fault.FaultedConnection`."""
        return self._own.faults

    def count(self, place: int, most: int) -> int | None:
        """See `faults.fault.FaultedConnection`."""
        return self._asked.claim(place, most)

    def struck(self, fault: int) -> None:
        """See `faults.fault.FaultedConnection`."""
        self._ledger.struck(fault)

    @property
    def _asked(self) -> Surroundings:
        assert self._surroundings is not None, "the connection is gone"
        return self._surroundings

    def _out_of_time(self) -> bool:
        """Whether this turn has used up its time."""
        began, surroundings = self._turn_began, self._surroundings
        return began is None or (surroundings is not None and surroundings.clock() - began >= TURN_SECONDS)

    def _give_way(self) -> None:
        """Schedule the rest of the work for the next turn."""
        self._turn_began = None
        self.wants_read = False

    def _begin(self, rules: Rules, actions: list[Action], now: float, otherwise: CloseReason | None = None) -> bool:
        """Handle an event that is not a request: play the first matching rule's script; False if there is none.

        Also True if the search takes long; if that then finds no rule, the connection is closed for the reason
        `otherwise`.
        """
        if not rules.any:
            return False
        self.request, self.captures = b"", None
        selector = rules.of(self._state)
        if selector.at_once < 0:
            script = self._found_on_event(selector, otherwise)
        else:
            rule = selector.search(b"", self)
            if rule is None:
                return False
            self._ledger.matched(rule.place)
            script = self._script_of(rule)
        self._on_request = False
        self._play(script, actions, now)
        if self._script is None or self._taking is not None:
            self.awaits_flush = True  # what follows is done, or taken, from there
        return True

    def _found_on_event(self, selector: Selector, otherwise: CloseReason | None) -> Iterator[Step]:
        """Search for a rule on an event in parts: yields None between them, then the steps."""
        rule = yield from selector.search_in_parts(b"", self)
        if rule is not None:
            self._ledger.matched(rule.place)
            yield from self._script_of(rule)
        elif otherwise is not None:
            yield from apply_to_close(self._plan.faults, otherwise, self)

    def _found_on_request(self, selector: Selector, request: bytes) -> Iterator[Step]:
        """Search for a rule on a request in parts: yields None between them, then the steps."""
        rule = yield from selector.search_in_parts(request, self)
        if selector.known is not None:
            selector.known.store(request, rule)
        if rule is None:
            self._ledger.unmatched(1)
        else:
            self._ledger.requested(rule.place, 1)
            yield from self._script_of(rule)

    def _play(self, script: Iterator[Step], actions: list[Action], now: float) -> int:
        """Take steps until one waits, the conversation ends, or the turn is over; return the number of bytes sent.

        `_script` is the rest then.
        """
        size, free = 0, FREE_STEPS
        for step in script:
            try:
                outcome = step(self) if callable(step) else step
            except TooLong:
                outcome = END_AS_TOO_LARGE
            if type(outcome) is Send:
                if self._phase != HALF_CLOSED:
                    actions.append(outcome)
                    size += len(outcome.data)
            elif isinstance(outcome, GeneratorType):
                return size + self._play(chain(outcome, self._resolved(script)), actions, now)
            elif outcome is not None and not self._obey(outcome, script, actions, now):
                break
            free -= 1
            if free < 0 and (size >= OUTPUT_AHEAD or self._out_of_time()):
                self._pause(script, inf)
                self._give_way()
                break
        return size

    def _obey(self, outcome: Outcome, script: Iterator[Step], actions: list[Action], now: float) -> bool:
        """Carry out a step result that is not a plain send; return whether the next step follows at once."""
        match outcome:
            case Wait(seconds):
                self._ledger.delayed(seconds)
                self._pause(script, now + seconds)
                return False
            case Hold(ignore_fin):
                actions += self._hang(ignore_fin, now)
                return False
            case Take(framing, variable):
                self._taking = Take(framing.new_framer(), variable)
                self._pause(script, inf)
                return False
            case End(by_reset, reason):
                actions += self._end_by_reset() if by_reset else self._end_in_order(reason)
                return False
            case Switch(framing, once):
                self._framing_before = self._framing if once else None
                self._framing = framing and framing.new_framer()
            case HalfClose():
                actions += self._half_close()
        return True

    def _hang(self, ignore_fin: bool, now: float) -> Sequence[Action]:
        """Send nothing more, unless the peer has left already, or a drain has begun."""
        if self._draining:
            return self._end_in_order(CloseReason.DRAIN)
        if self.fin_noted and not ignore_fin:
            return self._end_in_order(CloseReason.PEER_GAVE_UP)
        seconds = HOLD_SECONDS if self._plan.limits.lifetime == inf else inf
        self._pause(Hanging(ignore_fin), now + seconds)
        return NOTHING

    def _script_of(self, rule: Rule) -> Iterator[Step]:
        """Return the steps of a rule that has matched."""
        script = self._chosen if rule.counted else rule.steps
        return self._faulted(script) if self._plan.faults else iter(script)

    def _faulted(self, script: Iterable[Step]) -> Reply:
        """Apply the listener's faults to a script."""
        return apply_all(self._plan.faults, self._resolved(script), self)

    def _resolved(self, script: Iterable[Step]) -> Reply:
        """Yield the results of a script's steps, each step evaluated on demand."""
        for number, step in enumerate(script, 1):
            try:
                outcome = step(self) if callable(step) else step
            except TooLong:
                outcome = END_AS_TOO_LARGE
            if isinstance(outcome, GeneratorType):
                yield from outcome
            else:
                yield outcome
            if not number % STEPS_AT_ONCE:
                yield None  # lets the turn end even if a fault drops everything

    def _pause(self, script: Iterator[Step], until: float) -> None:
        self._script = script
        self._resume_at = until
        self.deadline = min(self.deadline, until)

    def _taken_up(self) -> Iterator[Step]:
        """Return the suspended script, and clear it."""
        script, self._script, self._resume_at = self._script, None, inf
        assert script is not None
        return script

    def _forget_turn(self) -> None:
        """Release the reference to the connection, which refers to this object."""
        self._script = self._taking = self._surroundings = None
        if self._kept is not None:
            self._kept.faults.clear()
        self._resume_at = inf
        self._turn_began = 0.0
