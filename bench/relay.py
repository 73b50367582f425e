"""What a relay costs: CPU per small round trip and per MiB, latency that it adds, and memory of an idle connection.

In one run, in rounds: each round measures every relay once, and the next one in the opposite order.
"""

# Rule: client and upstreams share a core, the relay has the other one, and only its CPU time counts.
# Rule: a ratio is the median of the ratios of the rounds.

import shutil
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import load
from bench.cpu import Cores, ProcessesChanged, pinned, read_settled_cpu
from bench.load import REPLY, REQUEST, LoadFailed
from bench.memory import connections_possible, measure_memory
from bench.proxies import PROXIES, Proxy, Running, Upstreams, relaying
from bench.results import Relayed
from bench.roster import CONTENDERS, Contender, script, started
from bench.server import CouldNotRun
from bench.stats import percentile, spread

PERSISTENT = next(mode for mode in load.MODES if mode.name == "persistent")
MIB = 1 << 20
MUCH_MIB = 512  # of a measurement
SMOKE_MIB = 8
READ_BYTES = 1 << 20
RATE = 1000  # round trips a second
WINDOW_S = 1.0  # of a measurement of latency
SMOKE_WINDOW_S = 0.05
IDLE = 4000  # connections whose memory is measured: a relay has two descriptors for each
TIMEOUT_S = 30

ENGINES = ("callback", "coroutine")
BASELINES = ("uvloop", "haproxy", "nginx")

SOURCE = Contender("source", "the upstream that sends much", script("source"))


@dataclass(slots=True)
class Samples:
    """What was measured of a relay, in each round: µs."""

    round_trip: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)


@dataclass(slots=True)
class RelayBench:
    """The relays that run, and what was found so far."""

    build: Path
    cores: Cores
    rounds: int
    connections: int
    smoke: bool
    could_not: Callable[[str, str, Exception | str], None]
    tell: Callable[[str], None]
    client: str = field(init=False)

    def measure(self, keys: Collection[str]) -> Iterator[Relayed]:
        """Measure these relays. Raises CouldNotRun if client or upstreams cannot run."""
        client = shutil.which("redis-benchmark")
        if client is None:
            raise CouldNotRun("redis-benchmark is not installed (Debian: redis-tools)")
        self.client = client
        proxies = [proxy for proxy in PROXIES if proxy.key in keys]
        with ExitStack() as stack:
            floor = stack.enter_context(started(CONTENDERS["floor"], self.build, self.cores.client))
            source = stack.enter_context(started(SOURCE, self.build, self.cores.client))
            upstreams = Upstreams(floor.port, source.port)
            found = self._measure_cost(proxies, upstreams)
            for proxy in proxies:
                if proxy.key in found:
                    kib = self._measure_memory(proxy, upstreams)
                    samples = found[proxy.key]
                    yield Relayed(
                        proxy.key, spread(samples.round_trip), spread(samples.mib), spread(samples.added), kib
                    )

    def _measure_cost(self, proxies: Sequence[Proxy], upstreams: Upstreams) -> Mapping[str, Samples]:
        running: dict[str, Running] = {}
        with ExitStack() as stack:
            for proxy in proxies:
                try:
                    running[proxy.key] = stack.enter_context(relaying(proxy, self.build, upstreams, self.cores.server))
                except CouldNotRun as problem:
                    self.could_not(proxy.key, "relay", problem)
            stack.enter_context(pinned(self.cores.client))
            found = {key: Samples() for key in running}
            for number in range(self.rounds):
                order = list(found) if number % 2 == 0 else list(reversed(found))
                direct = self._latency(upstreams.floor)
                for key in order:
                    try:
                        self._measure_one(running[key], found[key], direct)
                    except (LoadFailed, ProcessesChanged, OSError) as problem:
                        self.could_not(key, "relay", problem)
                        del found[key]
                        continue
                    self.tell(f"relay {number + 1}/{self.rounds}: {key} {last(found[key])}")
        return found

    def _measure_one(self, relay: Running, samples: Samples, direct: float) -> None:
        requests = PERSISTENT.smoke_requests if self.smoke else PERSISTENT.requests
        before = read_settled_cpu(relay.server.pid)
        load.run_load(self.client, relay.server.port, PERSISTENT, requests)
        between = read_settled_cpu(relay.server.pid)
        mib = SMOKE_MIB if self.smoke else MUCH_MIB
        receive(relay.much, mib * MIB)
        after = read_settled_cpu(relay.server.pid)
        added = self._latency(relay.server.port) - direct
        samples.round_trip.append(between.since(before) / requests * 1e6)
        samples.mib.append(after.since(between) / mib * 1e6)
        samples.added.append(added)

    def _latency(self, port: int) -> float:
        """Return the median of round trips, in µs."""
        return percentile(round_trips(port, SMOKE_WINDOW_S if self.smoke else WINDOW_S), 0.5) * 1e6

    def _measure_memory(self, proxy: Proxy, upstreams: Upstreams) -> float | None:
        """Return the KiB of an idle connection; None, with a note in the results, if that cannot be measured."""
        connections = connections_possible(2 * min(self.connections, IDLE)) // 2
        self.tell(f"relay: {proxy.key}, {connections} idle connections")
        try:
            with relaying(proxy, self.build, upstreams, self.cores.server) as relay, pinned(self.cores.client):
                return measure_memory(proxy.key, relay.server, connections).greater_bytes / 1024
        except (CouldNotRun, LoadFailed, OSError) as problem:
            self.could_not(proxy.key, "relay, memory", problem)
            return None


def last(samples: Samples) -> str:
    """Return what was measured last, for the progress."""
    return (
        f"{samples.round_trip[-1]:.2f} µs per round trip, {samples.mib[-1]:.0f} µs per MiB, "
        f"{samples.added[-1]:.0f} µs later"
    )


def receive(port: int, size: int) -> None:
    """Ask for `size` bytes and read them to their end. Raises LoadFailed, OSError."""
    into = bytearray(READ_BYTES)
    got = 0
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client:
        client.sendall(b"%d\r\n" % size)
        while read := client.recv_into(into):
            got += read
    if got != size:
        raise LoadFailed(f"relay: {got:,} of {size:,} bytes arrived")


def round_trips(port: int, seconds: float) -> list[float]:
    """Return the seconds of each of `RATE` round trips a second. Raises LoadFailed, OSError."""
    found = []
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.monotonic()
        for number in range(int(seconds * RATE)):
            time.sleep(max(0.0, start + number / RATE - time.monotonic()))
            began = time.perf_counter()
            client.sendall(REQUEST)
            if (got := client.recv(len(REPLY), socket.MSG_WAITALL)) != REPLY:
                raise LoadFailed(f"relay: answered {got!r}")
            found.append(time.perf_counter() - began)
    return found
