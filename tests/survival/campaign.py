"""A campaign: clients, changes and chaos for a time; then quiet, and the counters."""

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

from tests.supervisor.supervising import alive, until
from tests.survival.changes import STABLE, Changes
from tests.survival.chaos import Chaos
from tests.survival.clients import Client, Judge, Seen
from tests.survival.measuring import Measurements, children
from tests.survival.world import Window, World
from tests.system.conftest import RunningServer
from tests.system.scraping import Metrics

LOG_SECONDS: Final = 10.0  # until the log says of a death what a client saw of it
FORGET_SECONDS: Final = 300.0
STOP_SECONDS: Final = 60.0
QUIET_CLIENTS: Final = 60


@dataclass
class ListenerCounters:
    """What clients know of a listener."""

    established: int = 0
    answered_connections: int = 0
    requests: int = 0
    answered: int = 0
    sent: int = 0
    received: int = 0

    def enter(self, seen: Seen) -> None:
        """Add one connection."""
        complete = sum(each.complete for each in seen.exchanges)
        self.established += bool(seen.connected)
        self.answered_connections += bool(complete)
        self.requests += len(seen.exchanges)
        self.answered += complete
        self.sent += seen.sent
        self.received += seen.received


@dataclass
class Findings:
    """What a campaign has found."""

    wrong: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    requests: int = 0
    lost_by_death: int = 0
    """Connections whose end only a worker's death explains."""
    lost_by_move: int = 0
    """Connections whose end only a move or switch in the middle of their handshake explains."""


class Campaign:
    """One run. `seed` decides everything but when it happens."""

    def __init__(self, running: RunningServer, changes: Changes, chaos: Chaos, world: World, seed: str) -> None:
        self.running, self.changes, self.chaos, self.world, self.seed = running, changes, chaos, world, seed
        self.findings = Findings()
        self.books = {name: ListenerCounters() for name in STABLE}
        self.measurements = Measurements(running.process.pid)
        self.journal = running.log.with_name("journal")
        self._began = monotonic()
        self._judge = Judge(world)
        self._unjudged: list[Seen] = []
        self._suspects: list[Seen] = []
        self._wall = datetime.now().astimezone().timestamp() - monotonic()
        self._log_read = 0

    def note(self, text: str) -> None:
        """A line of the journal."""
        with self.journal.open("a") as journal:
            journal.write(f"{monotonic() - self._began:9.3f} {text}\n")

    def excerpt(self) -> str:
        """What the journal says of the time of the first fault."""
        if not (found := re.search(r", ([\d.]+) to ([\d.]+) s:", "\n".join(self.findings.wrong))):
            return ""
        lines = self.journal.read_text().splitlines()
        begin, end = float(found[1]) - 1.0, float(found[2]) + 2.0
        return "\n".join([line for line in lines if begin <= float(line.split()[0]) <= end][:40])

    # ── Under load ────────────────────────────────────────────────────────────────────────────────────────────────
    async def go_on(self, seconds: float, clients: int) -> None:
        """Clients, changes and chaos, for a time."""
        until_then = monotonic() + seconds
        measuring = asyncio.create_task(self.measurements.go_on())
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(clients):
                    group.create_task(self._talk_on(number, until_then))
                group.create_task(self._change_on(until_then))
                group.create_task(self._harm_on(until_then))
        finally:
            measuring.cancel()
            with suppress(asyncio.CancelledError):
                await measuring

    async def _talk_on(self, number: int, until_then: float) -> None:
        chance = random.Random(f"{self.seed} client {number}")
        while monotonic() < until_then:
            version = chance.choice(list(self.world.current.values()))
            self._enter(await Client(self.world, version, chance).talk())
            await asyncio.sleep(chance.choice((0, 0.01, 0.05)))

    def _enter(self, seen: Seen) -> None:
        self._unjudged.append(seen)
        if seen.name in self.books:
            self.books[seen.name].enter(seen)

    async def _change_on(self, until_then: float) -> None:
        while monotonic() < until_then:
            before = self.changes.made.copy()
            await self.changes.one()
            self.note(f"changed: {', '.join((self.changes.made - before).keys())}: {self._listeners()}")
            self.judge()

    def _listeners(self) -> str:
        return " ".join(
            f"{each.name}={each.mark}@{each.address}/{each.accept}/{each.limits}/{'+'.join(each.faults)}"
            for each in self.world.current.values()
        )

    async def _harm_on(self, until_then: float) -> None:
        while monotonic() < until_then:
            await asyncio.sleep(self.chaos.chance.uniform(0.5, 3))
            before = self.chaos.done.copy()
            self.note("chaos begins")
            await self.chaos.one()
            self.note(f"chaos: {', '.join((self.chaos.done - before).keys())}")

    # ── The judge ─────────────────────────────────────────────────────────────────────────────────────────────────
    def judge(self, *, last: bool = False) -> None:
        """Judge what clients saw; to be called while no change is in progress."""
        self._read_deaths()
        now = monotonic()
        again = [each for each in self._suspects if last or each.ended < now - LOG_SECONDS]
        self._suspects = [each for each in self._suspects if each not in again]
        for seen in self._unjudged:
            if next(self._judge.faults(seen), None) is None:
                self._accept(seen)
            elif last:
                again.append(seen)
            else:
                self._suspects.append(seen)
        self._unjudged = []
        for seen in again:
            faults = list(self._judge.faults(seen))
            self._accept(seen)
            for fault in faults:
                at = f"{seen.began - self._began:.3f} to {seen.ended - self._began:.3f} s"
                self.findings.wrong.append(f"{seen.name} at {seen.address}, {at}: {fault}")
        self.world.forget(now - FORGET_SECONDS)

    def _accept(self, seen: Seen) -> None:
        self.findings.connections += bool(seen.connected)
        self.findings.requests += sum(each.complete for each in seen.exchanges)
        self.findings.ends[seen.end] += 1
        if seen.end not in {"left", "abandoned"}:
            reasons = self._judge.explanations(seen)
            self.findings.lost_by_move += reasons == {"a move in mid-handshake"}
            self.findings.lost_by_death += bool(reasons) and all(each.startswith("a worker died") for each in reasons)

    def _read_deaths(self) -> None:
        """What the log says of workers that died, also of those that the supervisor took for hung."""
        with self.running.log.open() as log:
            log.seek(self._log_read)
            text = log.read()
        whole = text[: text.rfind("\n") + 1]
        self._log_read += len(whole.encode())
        for line in whole.splitlines():
            entry = json.loads(line) if line.startswith("{") else {}
            if "connections_lost" in entry:
                noticed = datetime.fromisoformat(entry["time"]).timestamp() - self._wall
                self.world.windows.append(Window("death", noticed - 1.0, noticed + 1.0))

    # ── At rest ───────────────────────────────────────────────────────────────────────────────────────────────────
    async def come_to_rest(self) -> Metrics:
        """Normal listeners, all workers, and no connection: the metrics then."""
        await asyncio.to_thread(self.running.cli, "resume")
        await self.chaos.all_serve()
        await self.changes.settle()
        self.judge(last=True)
        await until(lambda: not self._open(), 60.0)
        return self._metrics()

    def _metrics(self) -> Metrics:
        return Metrics.scrape(self.running.metrics)

    def _open(self) -> float:
        return self._metrics().total("connections_open")

    async def quiet_load(self) -> dict[str, ListenerCounters]:
        """A load that nothing disturbs; what clients know of it."""
        chance = random.Random(f"{self.seed} quiet")
        books = {name: ListenerCounters() for name in self.world.current}

        async def one(name: str) -> None:
            seen = await Client(self.world, self.world.current[name], chance).talk()
            books[name].enter(seen)
            self._unjudged.append(seen)

        for _ in range(5):
            await _all(one(name) for name in chance.choices(list(books), k=QUIET_CLIENTS // 5))
        self.judge(last=True)
        return books

    def unbalanced(self, metrics: Metrics) -> list[str]:
        """Listeners of which accepted is not open + closed, or of which clients know more than the counters."""
        wrong = [f"{name}: accepted is not open + closed" for name in self.world.current if not metrics.balanced(name)]
        for name, known in self.books.items():
            accepted = metrics.value("connections_accepted_total", listener=name)
            requests = metrics.value("requests_total", listener=name)
            if accepted < known.answered_connections or requests < known.answered:
                wrong.append(f"{name}: {accepted} accepted, {requests} requests; clients know of {known}")
        return wrong

    async def differences(self, before: Metrics, books: dict[str, ListenerCounters]) -> list[str]:
        """Where the counters have not grown by exactly what clients did."""

        def found() -> list[str]:
            after = self._metrics()
            wrong = []
            for name, known in books.items():
                expected = {
                    "connections_accepted_total": known.established,
                    "requests_total": known.requests,
                    "received_bytes_total": known.sent,
                    "sent_bytes_total": known.received,
                }
                for family, count in expected.items():
                    grown = after.value(family, listener=name) - before.value(family, listener=name)
                    if grown != count:
                        wrong.append(f"{family} of {name} has grown by {grown}; clients know of {count}")
                closed = after.total("connections_closed_total", listener=name)
                if closed - before.total("connections_closed_total", listener=name) != known.established:
                    wrong.append(f"connections_closed_total of {name} has not grown by {known.established}")
            return wrong

        with suppress(AssertionError):
            await until(lambda: not found(), 20.0)
        return found()

    async def stop(self) -> list[str]:
        """End it under load; what is wrong with how it ends."""
        window = self.world.open_window("stop")
        pids = children(self.running.process.pid)
        stopping = asyncio.create_task(asyncio.to_thread(self._stop))
        clients = [asyncio.create_task(self._talk_on(number, monotonic() + 0.5)) for number in (1001, 1002, 1003, 1004)]
        code = await stopping
        await _all(clients)
        window.end = monotonic()
        self.judge(last=True)
        wrong = [f"it ended with {code}"] if code else []
        return wrong + [f"worker {pid} is still there" for pid in pids if alive(pid)]

    def _stop(self) -> int:
        self.running.process.terminate()
        return self.running.process.wait(STOP_SECONDS)

    # ── The log ───────────────────────────────────────────────────────────────────────────────────────────────────
    def unexpected_lines(self) -> list[str]:
        """Lines of the log that no campaign may cause."""
        text = self.running.log.read_text()
        if "Traceback" in text:
            return [text[max(0, text.index("Traceback") - 500) :][:4000]]
        return [
            line
            for line in text.splitlines()
            if not line.startswith("{") or json.loads(line)["level"] == "CRITICAL" or "exception" in json.loads(line)
        ]

    def connections_lost(self) -> int:
        """What the log says of all workers that died."""
        return sum(int(line.get("connections_lost", 0)) for line in self.running.lines())


async def _all(awaited: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*awaited)


def ipv6_is_here(path: Path = Path("/proc/net/if_inet6")) -> bool:
    """Whether this machine has a loopback for IPv6."""
    return path.exists() and "00000000000000000000000000000001" in path.read_text()
