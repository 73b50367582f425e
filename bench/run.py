"""The load part: every pairing in every mode, in alternation."""

# Rule: the two sides of a pair run one right after the other, and swap places from pair to pair.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.cpu import ProcessesChanged, pinned, read_settled_cpu
from bench.load import PIPELINE, LoadFailed, LoadResult, Mode, probe, run_load
from bench.results import Comparison, Cost, Missing, Results
from bench.roster import Pairing
from bench.server import Server
from bench.stats import Pair, ratio, spread

WARM_UP = (
    5  # a warm-up asks this fraction of a run's requests: caches, branch predictors, the interpreter's inline caches
)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the client against one server."""

    microseconds: float
    seen: LoadResult


@dataclass(slots=True)
class LoadBench:
    """The running servers, the client, and what has been measured so far."""

    servers: Mapping[str, Server]
    client: str
    client_core: int
    pairs: int
    smoke: bool
    results: Results
    progress: Progress
    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)
    failed: set[tuple[str, str]] = field(default_factory=set)

    def run_mode(self, mode: Mode, pairings: Sequence[Pairing]) -> None:
        """Measure all the pairings of a mode and add what was found to the results."""
        pairings = [pairing for pairing in pairings if mode.name in pairing.modes]
        found: dict[Pairing, list[Pair]] = {pairing: [] for pairing in pairings}
        for key in dict.fromkeys(key for pairing in pairings for key in (pairing.baseline, pairing.subject)):
            self.warm_up(key, mode)
        for turn in range(self.pairs):
            for pairing in pairings:
                if (pair := self.run_pair(pairing, mode, subject_first=turn % 2 == 1)) is not None:
                    found[pairing].append(pair)
                    self.tell(mode, turn, pairing, pair)
        self.conclude(mode, found)

    def warm_up(self, key: str, mode: Mode) -> None:
        """Check a contender's answers byte by byte and let it run a little, unmeasured."""
        if key not in self.servers:
            return
        try:
            probe(self.servers[key].port, PIPELINE if mode.name == "pipelined" else 1)
            self.run(key, mode, max(PIPELINE, self.requests(mode) // WARM_UP))
        except (LoadFailed, ProcessesChanged, OSError) as problem:
            self.give_up(key, mode, problem)

    def run_pair(self, pairing: Pairing, mode: Mode, subject_first: bool) -> Pair | None:
        """Measure one pair, or return None if one of the two cannot be."""
        order = (pairing.subject, pairing.baseline) if subject_first else (pairing.baseline, pairing.subject)
        if any(key not in self.servers or (key, mode.name) in self.failed for key in order):
            return None
        cost: dict[str, float] = {}
        for key in order:
            try:
                run = self.run(key, mode, self.requests(mode))
            except (LoadFailed, ProcessesChanged, OSError) as problem:
                self.give_up(key, mode, problem)
                return None
            self.runs.setdefault((key, mode.name), []).append(run)
            cost[key] = run.microseconds
        return Pair(cost[pairing.subject], cost[pairing.baseline])

    def run(self, key: str, mode: Mode, requests: int) -> Run:
        """Run the client once; its server's CPU, divided by the requests."""
        server = self.servers[key]
        before = read_settled_cpu(server.pid)
        with pinned(self.client_core):
            seen = run_load(self.client, server.port, mode, requests)
        return Run(read_settled_cpu(server.pid).since(before) / seen.requests * 1e6, seen)

    def requests(self, mode: Mode) -> int:
        """How many requests a measured run asks."""
        return mode.smoke_requests if self.smoke else mode.requests

    def give_up(self, key: str, mode: Mode, problem: Exception) -> None:
        """Leave a contender out of the rest of a mode: what it did not wholly answer is no measurement."""
        self.failed.add((key, mode.name))
        self.results.missing.append(Missing(key, mode.name, str(problem)))
        self.progress(f"{mode.name}: {key} left out: {problem}")

    def tell(self, mode: Mode, turn: int, pairing: Pairing, pair: Pair) -> None:
        """Report one pair."""
        self.progress(
            f"{mode.name} {turn + 1}/{self.pairs}: {pairing.subject} {pair.subject:.2f} µs, "
            f"{pairing.baseline} {pair.baseline:.2f} µs, {pair.ratio:.2f} ×"
        )

    def conclude(self, mode: Mode, found: Mapping[Pairing, Sequence[Pair]]) -> None:
        """Add the medians of a mode to the results."""
        for (key, name), runs in self.runs.items():
            if name == mode.name and (key, name) not in self.failed:
                rate = median(run.seen.requests_per_second for run in runs)
                p99 = median(run.seen.p99_ms for run in runs)
                cost = spread([run.microseconds for run in runs])
                self.results.costs.append(Cost(key, name, cost, rate, p99))
        for pairing, pairs in found.items():
            if len(pairs) == self.pairs:
                self.results.comparisons.append(Comparison(pairing.subject, pairing.baseline, mode.name, ratio(pairs)))


@dataclass(frozen=True, slots=True)
class Comparing:
    """How a part of the bench compares servers that it starts itself."""

    client: str
    server_core: int
    client_core: int
    pairs: int
    smoke: bool
    results: Results
    progress: Progress

    def load(self, servers: Mapping[str, Server], results: Results) -> LoadBench:
        """The bench that puts load on these servers."""
        return LoadBench(servers, self.client, self.client_core, self.pairs, self.smoke, results, self.progress)
