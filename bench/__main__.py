"""``python -m bench``: everything, or parts. Exit 0: figures met; 1: one missed; 2: wrong options; 130: interrupted."""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from bench import (
    fairness,
    fixture,
    journal,
    kill,
    load,
    memory,
    readers,
    relay,
    report,
    rules,
    startup,
    ticks,
    tls,
    toxics,
)
from bench.books import read_books
from bench.cpu import Cores, ProcessesChanged, pinned, usable_cores
from bench.figures import judge
from bench.results import Missing, Results
from bench.roster import CONTENDERS, KILLED, PAIRINGS, Contender, started
from bench.run import Comparing, LoadBench
from bench.server import CouldNotRun, Server

PAIRS = 11  # at least 7; odd, so that the median is one of them
MODES = {mode.name: mode for mode in load.MODES}
BUSY = 0.25  # of the cores: more work than that by others shows in the figures
INTERRUPTED = 130  # as shells say it of SIGINT
PARTS = (
    *MODES,
    "rules",
    "journal",
    "readers",
    "memory",
    "start",
    "fixture",
    "fairness",
    "ticks",
    "tls",
    "relay",
    "toxics",
    "kill",
)
CLIENT = "redis-benchmark"
JSON = Path("bench/results/latest.json")

C = TypeVar("C", bound=Comparing)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench as the options say and return its exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are ended
    options = parse(arguments)
    bench = Bench(options, usable_cores())
    results, interrupted = bench.results, False
    try:
        bench.run()
    except KeyboardInterrupt:
        bench.tell("interrupted: what was finished follows, unjudged")
        interrupted = True
    if not (options.smoke or interrupted):
        results.verdicts = judge(results, options.parts, options.contenders)
    if options.json is not None:
        report.write_json(results, options.json)
        bench.tell(f"written: {options.json}")
    console = Console()
    report.print_report(results, console if console.is_terminal else Console(width=report.WIDTH))
    if interrupted:
        return INTERRUPTED
    return 0 if all(verdict.met for verdict in results.verdicts) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options; exits with 2 if they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--parts", type=partial(choices, PARTS), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument(
        "--contenders", type=partial(choices, CONTENDERS), default=list(CONTENDERS), help=",".join(CONTENDERS)
    )
    parser.add_argument("--pairs", type=positive, default=PAIRS, help=f"of each pairing and mode (default {PAIRS})")
    parser.add_argument("--connections", type=positive, default=memory.CONNECTIONS, help="idle ones to weigh (10000)")
    parser.add_argument("--starts", type=positive, default=startup.STARTS, help="to take the median of (10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found to FILE")
    parser.add_argument("--smoke", action="store_true", help="tiny counts, nothing judged: does the bench itself work")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.pairs, options.connections, options.starts = 1, 100, 1
    return options


def choices(known: Sequence[str] | dict[str, Contender], text: str) -> list[str]:
    """Read a comma-separated list of known words."""
    words = text.split(",")
    if unknown := [word for word in words if word not in known]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)} (known: {', '.join(known)})")
    return words


def positive(text: str) -> int:
    """Read a number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def machine() -> dict[str, str]:
    """Say what the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.machine())
    load_average = f"{os.getloadavg()[0]:.2f}"
    found = {
        "kernel": platform.release(),
        "load_average": load_average,
        "cpu": model,
        "python": platform.python_version(),
    }
    for package in ("answerback", "uvloop"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(slots=True)
class Bench:
    """One run of the bench."""

    options: argparse.Namespace
    cores: Cores
    results: Results = field(init=False)
    diagnostics: Console = field(default_factory=partial(Console, stderr=True))

    def __post_init__(self) -> None:
        settings = {
            name: getattr(self.options, name) for name in ("parts", "contenders", "pairs", "connections", "starts")
        }
        settings |= {"server_core": self.cores.server, "client_core": self.cores.client}
        self.results = Results(datetime.now(UTC).isoformat(timespec="seconds"), machine(), settings)

    def tell(self, line: str) -> None:
        """Report progress, on standard error."""
        self.diagnostics.print(line, markup=False, highlight=False, soft_wrap=True)

    def run(self) -> None:
        """Run the parts that were asked for."""
        if self.cores.shared:
            self.tell("only one core: client and servers share it, and the ratios come out too low")
        if os.getloadavg()[0] > BUSY * (os.cpu_count() or 1):
            self.tell(
                f"the machine is busy with other work (load average {os.getloadavg()[0]:.2f}): expect wide spreads"
            )
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            build = Path(folder)
            if modes := [MODES[part] for part in self.options.parts if part in MODES]:
                self.run_load(modes, build)
            runs: dict[str, Callable[[], None]] = {
                "rules": partial(self.run_rules, build),
                "journal": partial(self.run_journal, build),
                "readers": partial(self.run_readers, build),
                "memory": partial(self.run_memory, build),
                "start": partial(self.run_start, build),
                "fixture": self.run_fixture,
                "fairness": partial(self.run_fairness, build),
                "ticks": partial(self.run_ticks, build),
                "tls": partial(self.run_tls, build),
                "relay": partial(self.run_relay, build),
                "toxics": partial(self.run_toxics, build),
                "kill": partial(self.run_kills, build),
            }
            for part, run in runs.items():
                if part in self.options.parts:
                    run()

    def chosen(self) -> list[Contender]:
        """Return the contenders that were asked for, in the order given."""
        return [CONTENDERS[key] for key in self.options.contenders]

    def could_not(self, key: str, what: str, why: Exception | str) -> None:
        """Note what cannot be run, for the report, and say it now."""
        self.results.missing.append(Missing(key, what, str(why)))
        self.tell(f"could not run {key} ({what}): {why}")

    def run_load(self, modes: Sequence[load.Mode], build: Path) -> None:
        """Start all contenders and measure the pairings in each mode."""
        client = shutil.which(CLIENT)
        if client is None:
            self.could_not(CLIENT, "all load", f"{CLIENT} is not installed (Debian: redis-tools)")
            return
        servers: dict[str, Server] = {}
        with ExitStack() as stack:
            for contender in self.chosen():
                try:
                    servers[contender.key] = stack.enter_context(started(contender, build, self.cores.server))
                except CouldNotRun as problem:
                    self.could_not(contender.key, "all load", problem)
            bench = LoadBench(
                servers, client, self.cores.client, self.options.pairs, self.options.smoke, self.results, self.tell
            )
            for mode in modes:
                bench.run_mode(mode, PAIRINGS)
            self.results.books_astray = read_books(server for server in servers.values() if server.metrics_port)

    def run_rules(self, build: Path) -> None:
        """Compare many rules with one, and expressions with what they replace."""
        bench = self.comparing(rules.RulesBench, "rules")
        if bench is None:
            return
        self.results.expr_alone = rules.expr_alone(self.options.pairs)
        for kind in rules.KINDS:
            try:
                bench.measure(kind, build)
            except CouldNotRun as problem:
                self.could_not("callback", f"{kind.name} rules", problem)

    def run_journal(self, build: Path) -> None:
        """Compare the journal on with off, and merge it."""
        bench = self.comparing(journal.JournalBench, "journal")
        if bench is None:
            return
        try:
            bench.measure(build)
        except (CouldNotRun, load.LoadFailed) as problem:
            self.could_not("callback", "journal", problem)
        self.results.merged = journal.measure_merge()

    def run_readers(self, build: Path) -> None:
        """Read the journal, or do not, beside clients."""
        pairs, smoke = self.options.pairs, self.options.smoke
        self.tell(f"readers: {pairs} pairs, merging and a watcher that never reads")
        try:
            self.results.readers = readers.measure_readers(build, self.cores, pairs, smoke=smoke)
        except (CouldNotRun, load.LoadFailed, OSError) as problem:
            self.could_not("callback", "readers", problem)

    def comparing(self, cls: type[C], part: str) -> C | None:
        """A bench that compares servers of its own; None, with a note in the results, without the client."""
        client = shutil.which(CLIENT)
        if client is None:
            self.could_not(CLIENT, part, f"{CLIENT} is not installed (Debian: redis-tools)")
            return None
        pairs, smoke = self.options.pairs, self.options.smoke
        return cls(client, self.cores.server, self.cores.client, pairs, smoke, self.results, self.tell)

    def run_memory(self, build: Path) -> None:
        """Weigh the idle connections of each contender that keeps them."""
        connections = memory.connections_possible(self.options.connections)
        if connections < self.options.connections:
            self.tell(f"memory: the hard descriptor limit leaves room for {connections} connections")
        for contender in self.chosen():
            if contender.closes or not contender.many:
                continue
            self.tell(f"memory: {contender.key}, {connections} connections")
            try:
                with started(contender, build, self.cores.server) as server:
                    self.results.memory.append(memory.measure_memory(contender.key, server, connections))
            except (CouldNotRun, load.LoadFailed, OSError) as problem:
                self.could_not(contender.key, "memory", problem)

    def run_start(self, build: Path) -> None:
        """Time the starts of Answerback."""
        self.tell(f"start: {self.options.starts} starts of answerback serve")
        try:
            start = partial(started, CONTENDERS["callback"], build, self.cores.server)
            self.results.start = startup.measure_start(start, self.options.starts)
        except (CouldNotRun, OSError) as problem:
            self.could_not("callback", "start", problem)

    def run_fixture(self) -> None:
        """Time the fixtures for tests, on all cores."""
        listeners = 5 if self.options.smoke else fixture.LISTENERS
        self.tell(f"fixture: {self.options.starts} starts, {listeners} listeners")
        try:
            self.results.fixture = fixture.measure_fixture(self.options.starts, listeners)
        except (CouldNotRun, OSError, RuntimeError) as problem:
            self.could_not("callback", "fixture", problem)

    def run_fairness(self, build: Path) -> None:
        """Flood each engine of Answerback that was asked for, beside well-behaved clients."""
        for engine in (key for key in fairness.ENGINES if key in self.options.contenders):
            try:
                self.results.fairness += fairness.measure_fairness(
                    engine, build, self.cores.server, self.cores.client, smoke=self.options.smoke, tell=self.tell
                )
            except (CouldNotRun, load.LoadFailed, OSError) as problem:
                self.could_not(engine, "fairness", problem)

    def run_ticks(self, build: Path) -> None:
        """Measure the clocks of each engine of Answerback that was asked for."""
        connections = memory.connections_possible(self.options.connections)
        seconds = 2.0 if self.options.smoke else ticks.SECONDS
        cores = self.cores.server, self.cores.client
        for engine in (key for key in ticks.ENGINES if key in self.options.contenders):
            self.tell(f"ticks: {engine}, {connections} connections")
            try:
                self.results.ticks.append(ticks.measure_ticks(engine, build, cores, connections, seconds))
            except (CouldNotRun, load.LoadFailed, OSError) as problem:
                self.could_not(engine, "ticks", problem)

    def run_tls(self, build: Path) -> None:
        """Compare the handshakes of each engine of Answerback that was asked for with nginx."""
        cores = self.cores.server, self.cores.client
        pairs, smoke = self.options.pairs, self.options.smoke
        for engine in (key for key in tls.ENGINES if key in self.options.contenders):
            try:
                self.results.tls.append(tls.measure_tls(engine, build, cores, pairs, self.tell, smoke=smoke))
            except (CouldNotRun, load.LoadFailed, ProcessesChanged, OSError) as problem:
                self.could_not(engine, "tls", problem)

    def run_relay(self, build: Path) -> None:
        """Compare the relays of each engine of Answerback that was asked for with others."""
        options = self.options
        keys = [key for key in relay.ENGINES if key in options.contenders]
        measured = relay.RelayBench(
            build, self.cores, options.pairs, options.connections, options.smoke, self.could_not, self.tell
        )
        try:
            self.results.relays += measured.measure((*keys, *relay.BASELINES))
        except (CouldNotRun, load.LoadFailed, OSError) as problem:
            self.could_not("relay", "relay", problem)

    def run_toxics(self, build: Path) -> None:
        """Time calls of Toxiproxy's API on each engine of Answerback that was asked for."""
        for engine in (key for key in toxics.ENGINES if key in self.options.contenders):
            try:
                self.results.toxics.append(
                    toxics.measure_toxics(engine, build, self.cores, self.tell, smoke=self.options.smoke)
                )
            except (CouldNotRun, load.LoadFailed, OSError) as problem:
                self.could_not(engine, "toxics", problem)

    def run_kills(self, build: Path) -> None:
        """Kill workers of Answerback under load."""
        kills = 1 if self.options.smoke else kill.KILLS
        self.tell(f"kill: {kills} workers, at {kill.RATE:,.0f} connections a second")
        try:
            with started(KILLED, build, self.cores.server) as server, pinned(self.cores.client):
                self.results.kills = kill.measure_kills(server, kills)
        except (CouldNotRun, load.LoadFailed, OSError) as problem:
            self.could_not("callback", "kill", problem)


if __name__ == "__main__":
    sys.exit(main())
