"""The cost of the journal: server CPU per request with it on and off, in alternating pairs; and of merging it."""

# Rule: both servers get the same requests and send the same answers; only `journal.enabled` differs.
# Rule: the journal is full before it is measured: each entry that is recorded then drops another.
# Rule: each pair has servers of its own: two equal ones differ by 1 to 4 µs, by where their memory happens to be.

import asyncio
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import mean

from answerback.concurrency.turns import Turns
from answerback.core.plan import JournalBounds
from answerback.shared.counters import SharedCounters
from answerback.shared.journal.layout import CONNECTION, Kind, State
from answerback.shared.journal.region import JournalRegion
from answerback.shared.journal.ring import NOTHING_MORE
from answerback.supervisor.journal.reading import MergedRings
from bench.load import MODES, Mode, run_load
from bench.results import Journaled, Merged, Results
from bench.roster import CONFIG_ADDRESS, Contender, Pairing, serve, started
from bench.run import Comparing, LoadBench
from bench.server import Server
from bench.stats import Pair, spread

OFF, ON = "journal-off", "journal-on"
FILL = Mode("fill", ("-k", "1"), 12_000, 500)
RUNS = 4  # of each server of a pair
WORKERS, EXCHANGES = 4, 10_000
REPEATS = 5


def configuration(*, enabled: bool) -> str:
    """The work of the C floor, with the journal on or off."""
    journal = f"journal: {{enabled: {str(enabled).lower()}}}"
    listener = f"  - name: bench\n    address: {CONFIG_ADDRESS}\n    framing: line\n"
    return f'{journal}\nlisteners:\n{listener}    rules:\n      - do: [send: "+PONG\\r\\n"]\n'


class JournalBench(Comparing):
    """Runs the comparisons."""

    def measure(self, build: Path) -> None:
        """Compare the journal on with off in each mode, and add what was found to the results. Raises CouldNotRun."""
        scratch = Results(self.results.started, {}, {})
        found: dict[str, list[Pair]] = {mode.name: [] for mode in MODES}
        for turn in range(self.pairs):
            with ExitStack() as stack:
                bench = self.load(self._started(build, stack), scratch)
                for mode in MODES:
                    pair = self._compared(bench, mode)
                    if pair is not None:
                        found[mode.name].append(pair)
                        bench.tell(mode, turn, Pairing(ON, OFF, (mode.name,)), pair)
        self.results.missing += scratch.missing
        for name, pairs in found.items():
            if len(pairs) == self.pairs:
                off, on = spread([pair.baseline for pair in pairs]), spread([pair.subject for pair in pairs])
                more = spread([pair.subject - pair.baseline for pair in pairs])
                self.results.journal.append(Journaled(name, off, on, more))

    @staticmethod
    def _compared(bench: LoadBench, mode: Mode) -> Pair | None:
        """Let both servers of a pair have several shorter runs in turn; the means of both, or None if one failed."""
        shorter = replace(mode, requests=mode.requests // 2)
        for key in (OFF, ON):
            bench.warm_up(key, shorter)
        pairs = [
            bench.run_pair(Pairing(ON, OFF, (mode.name,)), shorter, subject_first=run % 2 == 1)
            for run in range(1 if bench.smoke else RUNS)
        ]
        complete = [pair for pair in pairs if pair is not None]
        if len(complete) < len(pairs):
            return None
        return Pair(mean(pair.subject for pair in complete), mean(pair.baseline for pair in complete))

    def _started(self, build: Path, stack: ExitStack) -> Mapping[str, Server]:
        """Start both servers, and fill the journal."""
        servers = {}
        for key in (OFF, ON):
            launch = serve(f"{key}.yaml", configuration(enabled=key == ON), "callback")
            servers[key] = stack.enter_context(started(Contender(key, key, launch), build, self.server_core))
        run_load(self.client, servers[ON].port, FILL, FILL.smoke_requests if self.smoke else FILL.requests)
        return servers


def measure_merge() -> Merged:
    """Read 10,000 exchanges of four workers, merged by time; the CPU time of that."""
    counters = SharedCounters.create(WORKERS + 1)
    payload = b"PING" * 8 + b"+PONG\r\n" * 4
    rest = (32, 32, 32, 28, 28, *NOTHING_MORE[5:])
    for region in range(WORKERS):
        journal = JournalRegion(counters.journal, region, counters.region(region))
        journal.configure(JournalBounds().share(WORKERS))
        ring = journal.exchanges
        key = CONNECTION.pack(1000 + region, 0, 1, 4000, region, b"192.0.2.1")
        for number in range(EXCHANGES // WORKERS):
            at = ring.store(payload)
            own = (*rest[:2], at + 32, *rest[3:])
            ring.append(
                key,
                number + region / WORKERS,
                state=State.DONE,
                kind=Kind.EXCHANGE,
                number=number,
                payload=at,
                rest=own,
            )

    async def read() -> tuple[int, bool]:
        times = [record.time async for record in MergedRings(counters, Turns()).records()]
        return len(times), times == sorted(times)

    seconds: list[float] = []
    for _ in range(REPEATS):
        began = time.thread_time()
        count, in_order = asyncio.run(read())
        seconds.append(time.thread_time() - began)
        if count != EXCHANGES or not in_order:
            raise RuntimeError(f"merged {count} of {EXCHANGES} exchanges, in order: {in_order}")
    return Merged(EXCHANGES, WORKERS, spread(seconds))
