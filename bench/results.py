"""What a run of the bench found, as it is printed and as it is written to JSON."""

# Rule: data only; a unit is part of a field's name.

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.stats import Spread

SCHEMA = 1  # of the JSON file; grows when a field changes its meaning


@dataclass(frozen=True, slots=True)
class Cost:
    """Server CPU per request of one contender in one mode, over all its runs."""

    contender: str
    mode: str
    microseconds: Spread
    requests_per_second: float  # as the client saw it, median: the client's own limit for the fast ones
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many times the baseline's cost the subject's is, from alternating pairs."""

    subject: str
    baseline: str
    mode: str
    ratio: Spread


@dataclass(frozen=True, slots=True)
class Memory:
    """PSS that idle connections cost the workers (smaps_rollup of proc(5)); kernel memory is not in it."""

    contender: str
    connections: int
    before_bytes: int  # of all workers, after a first few connections came and went
    connected_bytes: float  # per connection that has not said anything
    answered_bytes: float  # per connection that has had one request answered

    @property
    def greater_bytes(self) -> float:
        """The figure that is judged: the greater of the two."""
        return max(self.connected_bytes, self.answered_bytes)


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of a start: of a worker from exec to its first beat, and of the command to the first answer."""

    first_beat: Spread
    first_answer: Spread


@dataclass(frozen=True, slots=True)
class Fixture:
    """Seconds that the fixtures for tests take: one server, the last of four started at once, a further listener."""

    ready: Spread
    four_ready: Spread
    listen: Spread
    listen_p95: float


@dataclass(frozen=True, slots=True)
class Kills:
    """What became of connections, begun at a fixed rate, while workers were killed."""

    kills: int
    connections_per_second: float  # begun, all downtimes included
    answered: int
    failed: int
    crashed: int  # as the counters say
    astray: float  # connections accepted that are neither closed nor open in the end

    @property
    def lost(self) -> int:
        """Failures beyond those counted as crashed and one for each kill (accepted, and not counted yet)."""
        return max(0, self.failed - self.crashed - self.kills)


@dataclass(frozen=True, slots=True)
class Ruled:
    """What rules cost compared with others, in µs of server CPU per request, from alternating pairs."""

    kind: str
    many: int
    one: Spread
    all: Spread
    ratio: Spread
    more: Spread  # of the differences
    compared: str = "one"  # what they are compared with

    @property
    def title(self) -> str:
        """What is compared."""
        return f"{self.many:,} {self.kind} rules" if self.many > 1 else self.kind


@dataclass(frozen=True, slots=True)
class Journaled:
    """What the journal costs in a mode, in µs of server CPU per request, from alternating pairs."""

    mode: str
    off: Spread
    on: Spread
    more: Spread  # of the differences


@dataclass(frozen=True, slots=True)
class Compared:
    """A p99 over that of clients alone: of all pairs together, which is judged, and of each pair."""

    together: float
    pairs: Spread


@dataclass(frozen=True, slots=True)
class Readers:
    """What readers of the journal cost the clients of the listeners: their p99 beside a reader, over that without."""

    merges: int
    again: Compared
    """Of the clients alone, measured twice: what of the others is noise."""
    merging: Compared
    computing: Compared
    """While a program computes that has nothing to do with them, without ever keeping a core from them."""
    deaf: Compared
    """A watcher that never reads."""
    deaf_kib: Spread
    """What the supervisor's memory grows by during a measurement with that watcher."""


@dataclass(frozen=True, slots=True)
class Merged:
    """How long it takes to read the exchanges of some workers, merged by time: seconds of CPU."""

    exchanges: int
    workers: int
    seconds: Spread


@dataclass(frozen=True, slots=True)
class Fairness:
    """How long well-behaved clients of an engine wait for a reply, alone and while attackers flood its listener."""

    engine: str
    attackers: int
    requests: int  # of the well-behaved clients, beside the attackers
    calm_p99_ms: float
    p99_ms: float
    worst_ms: float


@dataclass(frozen=True, slots=True)
class Ticked:
    """Cores that an engine uses while its connections are silent: without ticks, and with one a second on each."""

    engine: str
    connections: int
    beats: int  # that arrived
    seconds: float
    idle_cores: float
    cores: float


@dataclass(frozen=True, slots=True)
class Renewed:
    """Handshakes made while certificates were renewed."""

    handshakes: int
    per_second: float
    lost: int
    certificates: int
    """How many different ones clients got."""


@dataclass(frozen=True, slots=True)
class Secured:
    """What TLS costs an engine: µs of server CPU, how many times that of others that is, and memory."""

    engine: str
    full: Spread
    full_ratio: Spread
    """To nginx."""
    full_floor: Spread
    """To Python's `ssl` on uvloop without a server around it."""
    resumed: Spread
    resumed_ratio: Spread
    resumed_floor: Spread
    kept: Spread
    """Per request on a kept connection."""
    kept_ratio: Spread
    """To nginx, which passes requests on."""
    relayed_ratio: Spread
    """The same, of a relay of the engine."""
    idle_kib: float
    """Of an idle connection, without the kernel's memory."""
    idle_plain_kib: float
    """The same without TLS."""
    idle_floor_kib: float
    """The same of the floor, which is OpenSSL's for the most part."""
    renewed: Renewed


@dataclass(frozen=True, slots=True)
class Relayed:
    """What a relay costs, with a sample of each round: µs of its CPU, and µs of latency."""

    relay: str
    round_trip: Spread
    mib: Spread
    added: Spread
    """The median of round trips through it, less that without a relay."""
    idle_kib: float | None
    """Of an idle connection, without the kernel's memory."""


@dataclass(frozen=True, slots=True)
class Toxics:
    """How long calls of Toxiproxy's API take, in seconds, and the p99 of live round trips without and beside them."""

    engine: str
    workers: int
    added: Spread
    removed: Spread
    calm_p99_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Missing:
    """What could not be run or measured, and why."""

    contender: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure judged. ``measured`` is None if it could not be; then it is not met."""

    figure: str
    limit: float
    unit: str
    measured: float | None

    @property
    def met(self) -> bool:
        """Whether it was measured and is within the limit."""
        return self.measured is not None and self.measured <= self.limit


@dataclass(slots=True)
class Results:
    """Everything one run found."""

    started: str
    machine: Mapping[str, str]
    settings: Mapping[str, str | int | list[str]]
    schema: int = SCHEMA
    costs: list[Cost] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    start: Start | None = None
    fixture: Fixture | None = None
    kills: Kills | None = None
    rules: list[Ruled] = field(default_factory=list)
    expr_alone: float | None = None  # CPU of the match by an expression over that by `prefix`, without a server
    journal: list[Journaled] = field(default_factory=list)
    merged: Merged | None = None
    readers: Readers | None = None
    fairness: list[Fairness] = field(default_factory=list)
    ticks: list[Ticked] = field(default_factory=list)
    tls: list[Secured] = field(default_factory=list)
    relays: list[Relayed] = field(default_factory=list)
    toxics: list[Toxics] = field(default_factory=list)
    books_astray: float | None = None  # connections accepted that are neither closed nor open, after the load
    missing: list[Missing] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
