"""What a worker runs: a compiled configuration, immutable, swapped by reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from random import Random
from typing import Protocol

from answerback.core.actions import Send
from answerback.core.bounded_counter import CountedFor
from answerback.core.context import RequestContext
from answerback.core.faults import Fault
from answerback.core.framing import Framing, Read
from answerback.core.matching import Matcher, Mismatch
from answerback.core.proxy_header import ProxyProtocol
from answerback.core.selection import Rules
from answerback.core.steps import END_IN_ORDER, ForwardRequest, Step, StepResult
from answerback.core.tls import ListenerTls
from answerback.core.upstream import Upstream


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
    silence: float = field(init=False)
    """How long a connection stays open on which nothing is received from the start."""

    def __post_init__(self) -> None:
        """Precompute what every connection begins with."""
        object.__setattr__(self, "silence", min(self.idle_timeout, self.lifetime))  # the dataclass is frozen


class Event(Enum):
    """What a rule can answer."""

    REQUEST = "request"
    CONNECT = "connect"
    IDLE = "idle"
    EOF = "eof"
    DRAIN = "drain"
    TICK = "tick"
    UPSTREAM_DOWN = "upstream_down"
    REPLY = "reply"


class WhenExhausted(Enum):
    """What a rule does after it has given each of its replies."""

    REPEAT_LAST = "the last one again and again"
    CYCLE = "the first one again"
    NEXT_RULE = "the rule matches no more"
    RANDOM = "any of them, by weight, from the start"


@dataclass(frozen=True, slots=True)
class Replies:
    """The successive replies of a rule."""

    replies: tuple[tuple[Step, ...], ...]
    then: WhenExhausted = WhenExhausted.REPEAT_LAST
    weights: tuple[float, ...] = ()

    def choose(self, match_number: int, chance: Random) -> tuple[Step, ...]:
        """Return the steps of match number `match_number`, counted from 0."""
        if self.then is WhenExhausted.RANDOM:
            return chance.choices(self.replies, self.weights or None)[0]
        if self.then is WhenExhausted.CYCLE:
            return self.replies[match_number % len(self.replies)]
        return self.replies[min(match_number, len(self.replies) - 1)]


@dataclass(frozen=True, slots=True)
class Rule:
    """A match and its steps. `cell` is the cell that counts its matches."""

    name: str
    cell: int
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
    window_seconds: float = 0.0
    """The time for which `times` and `replies` count; 0 for unlimited."""
    scope: CountedFor = CountedFor.LISTENER
    """What `times` and `replies` count for."""
    replies: Replies | None = None
    sequence_cell: int = 0
    """The cell of the shared sequence of `times` and `replies`; the start of its window is in the next one."""
    has_faults: bool = False
    """Whether the listener has faults that concern its replies."""
    extra: bool = False
    """On REPLY: whether what the upstream sent settles no owed reply."""
    reply: Send | None = field(init=False)
    """The constant reply, if the rule only sends the same bytes for every request."""
    only_step: Callable[[RequestContext], StepResult] | None = field(init=False)
    """The step, if that is all that the rule does each time, and the result depends on the request.

    Such a rule is answered without a script, whose iterator and calls are a twelfth of what a session does for it.
    """
    last_reply: Send | None = field(init=False)
    """The constant reply, if the rule sends it and closes in order, each time: such a rule needs no script either."""
    counted: bool = field(init=False)
    """Whether its behaviour depends on how often it has matched."""
    max_matches: int = field(init=False)
    """How often the rule can match; 0 for unlimited."""
    only_forwards: bool = field(init=False)
    """Whether it does nothing but pass the request on to the upstream."""

    def __post_init__(self) -> None:
        """Precompute what does not depend on the request."""
        counted = self.times > 0 or self.replies is not None
        sends = [step for step in self.steps if isinstance(step, Send)]
        small = [action.data for action in sends if isinstance(action.data, bytes)]  # a large payload is not copied
        fixed = len(small) == len(self.steps) and not counted and not self.has_faults
        bounds = [self.times] if self.times else []
        if self.replies is not None and self.replies.then is WhenExhausted.NEXT_RULE:
            bounds.append(len(self.replies.replies))
        object.__setattr__(self, "counted", counted)  # the dataclass is frozen
        object.__setattr__(self, "reply", Send(b"".join(small)) if fixed else None)
        ends = self.steps[1:] == (END_IN_ORDER,) and len(small) == 1 and not counted and not self.has_faults
        object.__setattr__(self, "last_reply", sends[0] if ends else None)
        alone = len(self.steps) == 1 and not counted and not self.has_faults
        object.__setattr__(self, "only_step", self.steps[0] if alone and callable(self.steps[0]) else None)
        object.__setattr__(self, "max_matches", min(bounds, default=0))
        forwards = (
            self.replies is None and bool(self.steps) and all(isinstance(step, ForwardRequest) for step in self.steps)
        )
        object.__setattr__(self, "only_forwards", forwards)

    def accepts(self, request: bytes, context: RequestContext) -> bool:
        """Match a request, and count it if this rule counts."""
        matches = self.matches
        if matches is not None and not matches(request, context):
            return False
        return not self.counted or self.count_match(context)

    def count_match(self, context: RequestContext) -> bool:
        """Count a match of a rule that counts, and choose its steps; False if it may not match any more."""
        scope = self.scope
        if scope is CountedFor.LISTENER:
            number = context.next_number(self.sequence_cell, self.max_matches, self.window_seconds)
        elif scope is CountedFor.CONNECTION:
            number = context.rule_counters.next_number(self.name, self.max_matches, self.window_seconds)
        else:
            number = context.next_number_of_peer(self.sequence_cell, self.max_matches, self.window_seconds)
        if number is None:
            context.captures = None  # those of a pattern of this rule
            return False
        context.chosen_steps = self.steps if self.replies is None else self.replies.choose(number, context.chance)
        return True


class NearestRules(Protocol):
    """Explains why no rule matched a request."""

    def of(self, request: bytes, context: RequestContext) -> "NearestRule | None":
        """Return the rule that came nearest; None if that is not worked out for this request."""


class NearestRule(Protocol):
    """The rule that came nearest, and why it does not match; as a string, both."""

    @property
    def rule(self) -> str:
        """The name of the rule."""

    @property
    def mismatch(self) -> Mismatch:
        """Why it does not match."""


@dataclass(frozen=True, slots=True)
class JournalBounds:
    """How much the journal keeps, of all workers together."""

    entries: int = 10_000
    bytes: int = 64 << 20
    body_bytes: int = 64 << 10
    """Kept bytes of each body."""

    def share(self, workers: int) -> "JournalBounds":
        """Return the part of one worker, rounded down."""
        return JournalBounds(max(1, self.entries // workers), self.bytes // workers, self.body_bytes)


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """What the journal keeps of a listener."""

    enabled: bool = True
    body_bytes: int | None = None
    """The bytes kept of each body; None as for all listeners."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A rule on TICK, and its interval in seconds."""

    interval: float
    rules: Rules
    """The rule alone: no other one stands in for it."""


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
    on_idle_in_script: Rules = field(default_factory=Rules)
    """Those that also act while a script waits for a frame."""
    ticks: tuple[Tick, ...] = ()
    on_limit: "ListenerPlan | None" = None
    """What is done with connections over a limit, from their start; None to close them at once."""
    on_eof: Rules = field(default_factory=Rules)
    on_drain: Rules = field(default_factory=Rules)
    on_upstream_down: Rules = field(default_factory=Rules)
    on_reply: Rules = field(default_factory=Rules)
    """Those on what the upstream sends, if it is framed."""
    limits: Limits = field(default_factory=Limits)
    faults: tuple[Fault, ...] = ()
    """The faults that replies pass through, in order; the rules that they concern are marked as `has_faults`."""
    faults_from_peer: tuple[Fault, ...] = ()
    """The faults of what is read, which have a `read_rate`."""
    handshake_faults: tuple[Fault, ...] = ()
    """The faults of TLS, each with its `handshake`."""
    accept: Accept = Accept.NORMAL
    tls: ListenerTls | None = None
    rule_names: tuple[str, ...] = ()
    """The names of all rules, in the order written; for metrics."""
    journal: JournalSettings = JournalSettings()
    nearest: NearestRules | None = field(default=None, compare=False)
    """Explains why no rule matched a request."""
    random_seed: int | None = None
    """The seed of the listener's random generator; None for an unpredictable one."""
    upstream: Upstream | None = None
    """Where connections are relayed to, or their requests forwarded to; None if the rules answer all."""
    streams: bool = True
    """With an upstream: whether all bytes are passed on without rules. Those on UPSTREAM_DOWN have their say before."""
    relay_faults: tuple[tuple[Fault, ...], tuple[Fault, ...]] = ((), ())
    """The faults of what is read from the client, and of what is read from the upstream."""
    numbers_connections: bool = False
    """Whether connections draw their `listener_number` when they are accepted."""
    counts_peers: bool = False
    """Whether a rule or fault counts for each peer."""
    proxy_protocol: ProxyProtocol | None = None
    """Which connections begin with a header; None for no header."""
    block: int = 0
    """Where the listener's counters begin in a slot's region."""
    socket: str = ""
    """The key of its listening socket."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled configuration: the listeners by name."""

    revision: int
    listeners: Mapping[str, ListenerPlan]
    journal: JournalBounds = JournalBounds()


class ActivePlan:
    """The active plan of a listener. Assigning `plan` changes it for all new conversations at once."""

    __slots__ = ("plan",)

    def __init__(self, plan: ListenerPlan) -> None:
        self.plan = plan
