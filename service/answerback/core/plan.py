"""What a worker runs: a compiled configuration, immutable, swapped by reference."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from random import Random
from typing import Protocol

from answerback.core.actions import Send
from answerback.core.context import RequestContext
from answerback.core.faults import Fault
from answerback.core.framing import Framing, Read
from answerback.core.matching import Matcher
from answerback.core.matching.effort import WEIGHED_BYTES, effort_of, in_parts
from answerback.core.pattern_sets import Sets
from answerback.core.reply_cache import CachedReply, ReplyCache, RuleCache
from answerback.core.steps import Step


class Engine(Enum):
    """The style of asynchronous programming that drives a listener's connections."""

    CALLBACK = "callback"
    COROUTINE = "coroutine"


class Accept(Enum):
    """How a listener treats new connections."""

    NORMAL = "normal"
    REFUSE = "refuse"
    STALL = "stall"
    CLOSE = "close"
    RESET = "reset"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on connections and requests: seconds, and counts; `inf` and 0 mean none."""

    max_connections: int = 0
    max_connections_per_peer: int = 0
    idle_timeout: float = 300.0
    request_timeout: float = 30.0
    write_timeout: float = 30.0
    lifetime: float = inf
    max_request_bytes: int = 1 << 20


MOST_IN_SETS = 10_000  # max. patterns in the sets of all states: each state has sets of its own
MANY_PATTERNS = 8  # with fewer patterns, searching one by one is cheaper than a set
# What is tried without a look at the clock, by `Effort.weight`: some 0.2 ms.
WEIGHT_AT_ONCE = 2048
PATTERN_IN_SET_WEIGHT = 2  # a set of 64 takes some 10 us
KNOWN_FROM_WEIGHT = 64  # cheaper searches are as fast as a cache look-up


class Then(Enum):
    """What a rule does after it has given each of its replies."""

    REPEAT_LAST = "the last one again and again"
    CYCLE = "the first one again"
    NEXT_RULE = "the rule matches no more"
    RANDOM = "any of them, by weight, from the start"


@dataclass(frozen=True, slots=True)
class Replies:
    """The successive replies of a rule."""

    of: tuple[tuple[Step, ...], ...]
    then: Then = Then.REPEAT_LAST
    weights: tuple[float, ...] = ()

    def choose(self, turn_number: int, chance: Random) -> tuple[Step, ...]:
        """Return the script for match number `turn_number`, counted from 0."""
        if self.then is Then.RANDOM:
            return chance.choices(self.of, self.weights or None)[0]
        if self.then is Then.CYCLE:
            return self.of[turn_number % len(self.of)]
        return self.of[min(turn_number, len(self.of) - 1)]


@dataclass(frozen=True, slots=True)
class Rule:
    """A match and its steps. `place` is the cell that counts its matches."""

    name: str
    place: int
    steps: tuple[Step, ...] = ()
    matches: Matcher | None = None
    """None matches everything."""
    equals: bytes | None = None
    """The literal, if the match is `equals`; looked up in a table."""
    pattern: str | None = None
    """The pattern, if the match is one pattern alone; many of them are searched for together."""
    in_states: tuple[str, ...] = ()
    """The states in which the rule applies; every state if empty."""
    times: int = 0
    """How often it matches; 0 for unlimited."""
    per_connection: bool = False
    """Whether `times` and `replies` count per connection."""
    replies: Replies | None = None
    counter: int = 0
    """The cells of the shared sequence of `times` and `replies`."""
    faulted: bool = False
    """Whether the listener has faults, which apply to each reply."""
    reply: Send | None = field(init=False)
    """The constant reply, if the rule only sends the same bytes for every request."""
    counted: bool = field(init=False)
    """Whether its behaviour depends on how often it has matched."""

    def __post_init__(self) -> None:
        """Precompute what does not depend on the request."""
        object.__setattr__(self, "counted", self.times > 0 or self.replies is not None)  # the dataclass is frozen
        sends = [step for step in self.steps if isinstance(step, Send)]
        small = [action.data for action in sends if isinstance(action.data, bytes)]  # a large payload is not copied
        fixed = len(small) == len(self.steps) and not self.counted and not self.faulted
        reply = Send(b"".join(small)) if fixed else None
        object.__setattr__(self, "reply", reply)

    @property
    def most(self) -> int:
        """Return how often the rule can match; 0 for unlimited."""
        bounds = [self.times] if self.times else []
        if self.replies is not None and self.replies.then is Then.NEXT_RULE:
            bounds.append(len(self.replies.of))
        return min(bounds, default=0)


class Asked(RequestContext, Protocol):
    """The context of a search for a rule."""

    def claim(self, rule: Rule) -> bool:
        """Count a match of a rule with `times`; False if it may not match any more."""


class Selector:
    """Finds the first rule that matches a request.

    Rules with `equals` are looked up in a table, so that many of them cost as much as one. The others are tried in
    order, but only those before the rule that the table found. Many patterns are searched for together.
    """

    __slots__ = (
        "_all_in_sets",
        "_by_equality",
        "_last",
        "_otherwise",
        "_sets",
        "_tried",
        "at_once",
        "known",
        "look_up",
        "recalled",
        "remembers",
        "replies",
    )

    look_up: Callable[[bytes], Rule | None] | None
    """Like `search`, if the result is in a table."""
    remembers: bool
    """Whether replies are cached: they depend on the bytes alone, and a look-up is no slower than a search."""
    recalled: dict[bytes, CachedReply | None]
    """The cached replies by the whole read; None for bytes seen once."""
    replies: ReplyCache
    """The cache behind `recalled`."""
    known: RuleCache | None
    """The cache of expensive searches whose result depends on the bytes alone."""
    at_once: int
    """Max. length of a request for `search`, in bytes; use `search_in_parts` for longer ones."""

    def __init__(self, rules: Sequence[Rule], *, copies: int = 1) -> None:
        """`copies`: how many selectors these rules may be in."""
        self.replies = ReplyCache()
        self.recalled = self.replies.entries
        self._by_equality: dict[bytes, tuple[int, Rule]] = {}
        self._tried: list[tuple[int, Rule, int]] = []  # with the position of its pattern in the sets, or -1
        self._otherwise: Rule | None = None
        self._last = len(rules)
        for index, rule in enumerate(rules):
            if rule.matches is None and not rule.counted:
                self._last, self._otherwise = index, rule
                break
        rules = rules[: self._last]  # rules behind it are unreachable
        patterns = [rule.pattern for rule in rules if rule.pattern is not None]
        together = MANY_PATTERNS <= len(patterns) <= MOST_IN_SETS // copies
        self._sets = Sets(patterns, copies=copies) if together else None
        position = 0
        for index, rule in enumerate(rules):
            if rule.equals is not None and not rule.counted:
                self._by_equality.setdefault(rule.equals, (index, rule))
            else:
                in_sets = self._sets is not None and rule.pattern is not None
                self._tried.append((index, rule, position if in_sets else -1))
                position += in_sets
        self.look_up = None
        self._all_in_sets = bool(self._tried) and all(position >= 0 for _, _, position in self._tried)
        self._weigh()
        if self._tried:
            return
        if self._by_equality:
            self.look_up = _Table(
                {key: rule for key, (_, rule) in self._by_equality.items()}, self._otherwise
            ).__getitem__
        else:
            otherwise = self._otherwise
            self.look_up = lambda _request: otherwise

    def _weigh(self) -> None:
        """Precompute the cost of a search, and whether its result can be cached."""
        tried = [rule for _, rule, _ in self._tried]
        by_bytes = all(rule.matches is None or effort_of(rule.matches).by_bytes for rule in tried)
        same_each_time = by_bytes and not any(rule.counted for rule in tried)
        weight = sum(_weight(rule, position) for _, rule, position in self._tried)
        alone = sum(_weight(rule, position) for _, rule, position in self._tried if position < 0)
        self.at_once = (WEIGHT_AT_ONCE // max(1, weight)) * WEIGHED_BYTES - 1
        # A set is searched in 2 us, which is no more than to keep what was found for requests that never come again.
        self.known = RuleCache() if same_each_time and alone >= KNOWN_FROM_WEIGHT else None
        self.remembers = not tried or self.known is not None

    def search(self, request: bytes, context: Asked) -> Rule | None:
        """The first rule that matches, or None."""
        before, found = self._by_equality.get(request, (self._last, self._otherwise))
        sets = self._sets
        if sets is not None and len(request) > sets.longest:
            sets = None
        elif self._all_in_sets:
            return self._search_sets(request, context, before) or found
        matching: Iterator[int] | None = None
        reached = -1
        for index, rule, position in self._tried:
            if index > before:
                break
            if position >= 0 and sets is not None:
                if matching is None:
                    matching = sets.matching(request)
                while reached < position:
                    reached = next(matching, len(self._tried))
                if reached != position:
                    continue
            if (rule.matches is None or rule.matches(request, context)) and (not rule.counted or context.claim(rule)):
                return rule
        return found

    def search_in_parts(self, request: bytes, context: Asked) -> Generator[None, None, Rule | None]:
        """Like `search`, but yields regularly so that other connections can run."""
        before, found = self._by_equality.get(request, (self._last, self._otherwise))
        times = 1 + len(request) // WEIGHED_BYTES
        tried = 0
        for rule in self._possible(request, before):
            if rule is None or tried > WEIGHT_AT_ONCE:
                tried = 0
                yield
            if rule is None:
                continue
            weight = _weight(rule, -1) * times
            tried += weight
            if rule.matches is None:
                matched = True
            elif weight > WEIGHT_AT_ONCE:
                matched = yield from in_parts(rule.matches, request, context)
            else:
                matched = rule.matches(request, context)
            if matched and (not rule.counted or context.claim(rule)):
                return rule
        return found

    def _possible(self, request: bytes, before: int) -> Iterator[Rule | None]:
        """Yield the rules to try, without those whose patterns no set found; None after each search of a set."""
        sets = self._sets if self._sets is not None and len(request) <= self._sets.longest else None
        matching: Iterator[int] | None = None
        reached = -1
        for index, rule, position in self._tried:
            if index > before:
                break
            if position >= 0 and sets is not None:
                matching = matching or sets.matching_in_parts(request)
                while reached < position:
                    reached = next(matching, len(self._tried))
                    if reached < 0:
                        yield None
                if reached != position:
                    continue
            yield rule

    def _search_sets(self, request: bytes, context: Asked, before: int) -> Rule | None:
        """Like `search`, if only patterns in sets are tried: goes through the matching ones only."""
        tried, sets = self._tried, self._sets
        if sets is None or tried[0][0] > before:
            return None
        for position in sets.matching(request):
            index, rule, _ = tried[position]
            if index > before:
                break
            if rule.reply is not None:
                return rule  # its captures are not used
            if (
                rule.matches is not None
                and rule.matches(request, context)
                and (not rule.counted or context.claim(rule))
            ):
                return rule
        return None


def _weight(rule: Rule, position: int) -> int:
    """Return the cost of trying a rule whose pattern has this position in the sets, or -1."""
    if position >= 0:
        return PATTERN_IN_SET_WEIGHT
    return 1 if rule.matches is None else effort_of(rule.matches).weight


class _Table(dict[bytes, Rule | None]):
    """Rules by the literal they equal, with a default: a hit runs no Python code."""

    def __init__(self, rules: Mapping[bytes, Rule], otherwise: Rule | None) -> None:
        super().__init__(rules)
        self._otherwise = otherwise

    def __missing__(self, request: bytes) -> Rule | None:
        return self._otherwise


class Rules:
    """The rules on one event: a selector for each state that a rule names, and one for all other states."""

    __slots__ = ("_by_state", "_otherwise", "any", "written")

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.written = tuple(rules)  # in order, for `explain`
        self.any = bool(rules)
        names = {name for rule in rules for name in rule.in_states}
        copies = len(names) + 1
        self._otherwise = Selector([rule for rule in rules if not rule.in_states], copies=copies)
        self._by_state = {
            name: Selector([rule for rule in rules if not rule.in_states or name in rule.in_states], copies=copies)
            for name in names
        }

    def of(self, state: str) -> Selector:
        """Return the selector for this state."""
        return self._by_state.get(state, self._otherwise)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ListenerPlan:
    """The compiled configuration of one listener."""

    name: str
    address: str
    engine: Engine = Engine.CALLBACK
    framing: Framing = field(default_factory=lambda: Read(1024))
    on_request: Rules = field(default_factory=Rules)
    on_connect: Rules = field(default_factory=Rules)
    on_idle: Rules = field(default_factory=Rules)
    on_eof: Rules = field(default_factory=Rules)
    on_drain: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)
    faults: tuple[Fault, ...] = ()
    """The faults that every reply passes through, in order; the listener's rules are marked as `faulted`."""
    accept: Accept = Accept.NORMAL
    rule_names: tuple[str, ...] = ()
    """The names of all rules, in the order written; for metrics."""
    random_seed: int | None = None
    """The seed of the listener's random generator; None for an unpredictable one."""
    block: int = 0
    """Where the listener's counters begin in a slot's region."""
    socket: str = ""
    """The key of its listening socket."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled configuration: the listeners by name."""

    revision: int
    listeners: Mapping[str, ListenerPlan]


class PlanInForce:
    """The active plan of a listener. Assigning `plan` changes it for all new conversations at once."""

    __slots__ = ("plan",)

    def __init__(self, plan: ListenerPlan) -> None:
        self.plan = plan
