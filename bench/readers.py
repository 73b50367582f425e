"""What readers of the journal cost the clients of the listeners: merging all of it, and a watcher that never reads.

The same clients ask in short windows, in an order that changes: alone, alone again, while the journal is merged,
while a program computes that has nothing to do with them, and beside the watcher. It watches one of two servers
alike, in turn: to be full its stream takes longer than a window.
"""

# Rule: the servers have all cores, as one with four workers has: on one core every reader would delay every client.
# Rule: the clients ask at their own pace, below saturation: a wait is what others take from a client, no queue.
# Rule: windows are shorter than what else the machine does, in random order, and the waits of all windows of a kind are
#       judged together: a p99 of 1,600 waits is that of 16. How far the same clients differ from themselves is noise.
# Rule: each kind of window has as many at one server as at the other: two servers alike differ by a tenth.
# Rule: a reader has the policy SCHED_IDLE: its own CPU is not the server's, so no client waits for it.
# Rule: the journal is full before anything is measured: each merge reads 10,000 exchanges of four workers.
# Rule: a window beside merges ends with one, and the next merge begins at once.
# Rule: the program that computes has SCHED_IDLE, too, so it never keeps a core from a client or a worker. What clients
#       wait longer beside it, they wait for caches and for a core that wakes: beside anything that works on two cores.

import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from random import Random

from bench.cpu import Cores, pinned
from bench.fairness import CLIENTS, PAUSE_S
from bench.load import REPLY, REQUEST, LoadFailed
from bench.memory import connect
from bench.results import Compared, Readers
from bench.roster import CONFIG_ADDRESS, serve
from bench.server import CouldNotRun, Server, as_installed, running
from bench.startup import scrape
from bench.stats import Pair, percentile, ratio, spread

WORKERS, EXCHANGES = 4, 10_000
DROPPED = 1 / 32  # of them may be missing: each worker drops a 64th of its own at a time
WINDOW_S = 0.1  # or until the end of a merge
WINDOWS = 10  # of each kind at each server in a pair: some 1,600 waits
SEED = 1  # of the order
COMPUTING_S = 0.03  # as long as a merge
SMOKE_WINDOWS = 1
FILL_CONNECTIONS, FILL_REQUESTS, FILL_TRIES = 16, 500, 100
TIMEOUT_S = 60

# Each merge reads everything, as everything matches; each line says how many exchanges that were.
MERGING = """
import os, sys
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
from answerback import Client
with Client(sys.argv[1]) as client:
    print("ready", flush=True)
    for _ in sys.stdin:
        print(client.verify_exchanges(at_least=0).found, flush=True)
"""
COMPUTING = f"""
import os, sys, time
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
print("ready", flush=True)
for _ in sys.stdin:
    end = time.monotonic() + {COMPUTING_S}
    while time.monotonic() < end:
        sum(range(100))
    print(0, flush=True)
"""
DEAF = """
import os, sys
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
import grpc
from answerback.v1 import journal_service_pb2 as pb
from answerback.v1.journal_service_pb2_grpc import JournalServiceStub
watch = JournalServiceStub(grpc.insecure_channel(sys.argv[1])).WatchExchanges(pb.WatchExchangesRequest(events=True))
print(int(next(watch).started), flush=True)
sys.stdin.read()  # and not the watch
"""
_ENTRIES = re.compile(r"^answerback_journal_entries(?:\{[^}]*\})? (\S+)", re.MULTILINE)
_ANONYMOUS = re.compile(r"^Pss_Anon:\s+(\d+) kB$", re.MULTILINE)


def configuration() -> str:
    """The work of the C floor."""
    return f"""listeners:
  - name: bench
    address: {CONFIG_ADDRESS}
    framing: line
    rules:
      - do: [send: "+PONG\\r\\n"]
"""


class Reader:
    """A process that reads the journal, or computes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asks, self._says = process.stdin, process.stdout

    def begin(self) -> None:
        """Let it work once."""
        self._asks.write("\n")
        self._asks.flush()

    def has_said(self) -> bool:
        """Whether it has written a line, or has ended."""
        return bool(select.select([self._says], [], [], 0)[0])

    def line(self) -> str:
        """Return the next line; empty if it has ended."""
        return self._says.readline()


class Clients:
    """Well-behaved clients of a server, one of which asks at a time."""

    def __init__(self, server: Server, admin: str, peers: Sequence[socket.socket]) -> None:
        self.server = server
        self.admin = admin
        self._peers = peers
        self._asked = 0

    def alone(self, seconds: float) -> list[float]:
        """Ask for this time; return what each request has waited, in seconds. Raises LoadFailed."""
        waits: list[float] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            waits.append(self._ask())
        return waits

    def beside(self, worker: Reader, seconds: float) -> tuple[list[float], list[int]]:
        """Ask while a process works again and again; return the waits, and the number it says each time."""
        waits, read = list[float](), list[int]()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            worker.begin()
            while not worker.has_said():
                waits.append(self._ask())
            read.append(int(worker.line()))
        return waits, read

    def _ask(self) -> float:
        peer = self._peers[self._asked % len(self._peers)]
        self._asked += 1
        began = time.monotonic()
        peer.sendall(REQUEST)
        if (got := peer.recv(len(REPLY), socket.MSG_WAITALL)) != REPLY:
            raise LoadFailed(f"readers: answered {got!r}")
        waited = time.monotonic() - began
        time.sleep(PAUSE_S)
        return waited


@dataclass(slots=True)
class Waits:
    """What the requests have waited, of each kind of window; and what the merges have read."""

    alone: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    merging: list[float] = field(default_factory=list)
    computing: list[float] = field(default_factory=list)
    deaf: list[float] = field(default_factory=list)
    read: list[int] = field(default_factory=list)


Kind = Callable[[Waits], list[float]]
AGAIN: Kind = attrgetter("again")
MERGED: Kind = attrgetter("merging")
COMPUTED: Kind = attrgetter("computing")
BESIDE_DEAF: Kind = attrgetter("deaf")


def measure_readers(build: Path, cores: Cores, pairs: int, *, smoke: bool) -> Readers:
    """Measure both readers. Raises CouldNotRun, LoadFailed, OSError."""
    found, grown, chance = list[Waits](), list[float](), Random(SEED)
    with ExitStack() as stack:
        one, other = (stack.enter_context(served(build, cores)) for _ in range(2))
        stack.enter_context(pinned(cores.client))
        mergers = {each: stack.enter_context(reading(MERGING, each.admin)) for each in (one, other)}
        computing = stack.enter_context(reading(COMPUTING, ""))
        for _ in range(pairs):
            found.append(Waits())
            for plain, watched in ((one, other), (other, one)):
                with reading(DEAF, watched.admin):
                    before = anonymous(watched.server.pid)
                    beside = Beside(plain, watched, mergers[plain], computing)
                    measure(beside, found[-1], SMOKE_WINDOWS if smoke else WINDOWS, chance)
                    grown.append(anonymous(watched.server.pid) - before)
    read = [number for waits in found for number in waits.read]
    if min(read) < EXCHANGES * (1 - DROPPED):
        raise LoadFailed(f"readers: merged {min(read)} of {EXCHANGES} exchanges")
    again, merging, computed, deaf = (compared(found, kind) for kind in (AGAIN, MERGED, COMPUTED, BESIDE_DEAF))
    return Readers(len(read), again, merging, computed, deaf, spread(grown))


def compared(found: Sequence[Waits], kind: Kind) -> Compared:
    """Compare the p99 of a kind of windows with that of clients alone: of all pairs together, and of each."""
    together = p99([wait for waits in found for wait in kind(waits)]) / p99(
        [wait for waits in found for wait in waits.alone]
    )
    return Compared(together, ratio([Pair(p99(kind(each)), p99(each.alone)) for each in found]))


@dataclass(frozen=True, slots=True)
class Beside:
    """The clients of both servers, and what works beside them."""

    plain: Clients
    watched: Clients
    merger: Reader
    computing: Reader


def measure(beside: Beside, waits: Waits, windows: int, chance: Random) -> None:
    """Add the waits of this many windows of each kind, each time in another order. Raises LoadFailed."""
    plain = beside.plain

    def merge() -> None:
        waited, read = plain.beside(beside.merger, WINDOW_S)
        waits.merging += waited
        waits.read += read

    kinds: list[Callable[[], None]] = [
        lambda: waits.alone.extend(plain.alone(WINDOW_S)),
        merge,
        lambda: waits.computing.extend(plain.beside(beside.computing, WINDOW_S)[0]),
        lambda: waits.again.extend(plain.alone(WINDOW_S)),
        lambda: waits.deaf.extend(beside.watched.alone(WINDOW_S)),
    ]
    for _ in range(windows):
        chance.shuffle(kinds)
        for kind in kinds:
            kind()


def p99(waits: Sequence[float]) -> float:
    """The time within which 99 of 100 requests were answered, in seconds."""
    return percentile(waits, 0.99)


@contextmanager
def served(build: Path, cores: Cores) -> Iterator[Clients]:
    """Run a server whose journal is full, and connect its clients. Raises CouldNotRun, LoadFailed, OSError."""
    launch = serve("readers.yaml", configuration(), "callback", WORKERS)(build)
    admin = str(launch.command[list(launch.command).index("--admin") + 1])
    with running(launch.command, None, launch.ports) as server, ExitStack() as stack:
        with pinned(cores.client):
            fill(server)
        yield Clients(server, admin, connect(stack, server.port, CLIENTS))


def fill(server: Server) -> None:
    """Send requests until the journal of every worker is full. Raises LoadFailed if it never is."""
    for _ in range(FILL_TRIES):
        with ExitStack() as stack:
            for peer in connect(stack, server.port, FILL_CONNECTIONS):
                peer.sendall(REQUEST * FILL_REQUESTS)
                missing = len(REPLY) * FILL_REQUESTS
                while missing:
                    received = len(peer.recv(missing))
                    if not received:
                        raise LoadFailed("readers: a connection was closed")
                    missing -= received
        if sum(map(float, _ENTRIES.findall(scrape(server.metrics_port)))) >= EXCHANGES * (1 - DROPPED):
            return
    raise LoadFailed(f"readers: the journal does not get its {EXCHANGES} entries")


@contextmanager
def reading(script: str, admin: str) -> Iterator[Reader]:
    """Run a reader until the block ends; it has said that it is ready. Raises CouldNotRun."""
    command = [sys.executable, "-c", script, admin]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=as_installed()
    )
    try:
        reader = Reader(process)
        if not reader.line():
            raise CouldNotRun(f"a reader did not start: {process.communicate()[1][-500:]}")
        yield reader
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)


def anonymous(pid: int) -> float:
    """Return the memory of a process that is no file's, in KiB: what the rings take does not count."""
    found = _ANONYMOUS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return float(found[1]) if found else 0.0
