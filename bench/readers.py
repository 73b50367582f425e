"""What readers of the journal cost the clients of the listeners: merging all of it, and a watcher that never reads.

The same clients, in alternation: by themselves, and beside a reader, which is a process of its own.
"""

# Rule: the server has all cores, as a server with four workers has: on one core every reader would delay every client.
# Rule: the journal is full before anything is measured: each merge reads 10,000 exchanges of four workers.
# Rule: the readers work without a pause, so the p99 of the clients is that of clients beside a reader.

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.cpu import Cores, pinned
from bench.fairness import waits
from bench.load import REPLY, REQUEST, LoadFailed
from bench.memory import connect
from bench.results import Readers
from bench.roster import CONFIG_ADDRESS, serve
from bench.server import CouldNotRun, Server, as_installed, running
from bench.startup import scrape
from bench.stats import Pair, percentile, ratio, spread

WORKERS, EXCHANGES = 4, 10_000
DROPPED = 1 / 32  # of them may be missing: each worker drops a 64th of its own at a time
WINDOW_S = 2.0  # of one measurement: some 1,400 waits
SMOKE_WINDOW_S = 0.2
FILL_CONNECTIONS, FILL_REQUESTS, FILL_TRIES = 16, 500, 100
TIMEOUT_S = 60

# Each merge reads everything, as everything matches; each line says how many exchanges that were.
MERGING = """
import sys
from answerback import Client
with Client(sys.argv[1]) as client:
    while True:
        print(client.verify_exchanges(at_least=0).found, flush=True)
"""
DEAF = """
import sys
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


def measure_readers(build: Path, cores: Cores, pairs: int, *, smoke: bool) -> Readers:
    """Measure both readers. Raises CouldNotRun, LoadFailed, OSError."""
    launch = serve("readers.yaml", configuration(), "callback", WORKERS)(build)
    admin = str(launch.command[list(launch.command).index("--admin") + 1])
    window = SMOKE_WINDOW_S if smoke else WINDOW_S
    merging, deaf, read, grown = list[Pair](), list[Pair](), list[int](), list[float]()
    with running(launch.command, None, launch.ports) as server, pinned(cores.client):
        fill(server)
        for _ in range(pairs):
            calm = p99(server, window)
            with reading(MERGING, admin) as found:
                merging.append(Pair(p99(server, window), calm))
            read += found
            calm = p99(server, window)
            with reading(DEAF, admin):
                before = anonymous(server.pid)
                deaf.append(Pair(p99(server, window), calm))
                grown.append(anonymous(server.pid) - before)
    if min(read) < EXCHANGES * (1 - DROPPED):
        raise LoadFailed(f"readers: merged {min(read)} of {EXCHANGES} exchanges")
    return Readers(len(read), ratio(merging), ratio(deaf), spread(grown))


def p99(server: Server, seconds: float) -> float:
    """The time within which 99 of 100 requests are answered, in seconds."""
    return percentile(waits(server, seconds), 0.99)


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
def reading(script: str, admin: str) -> Iterator[list[int]]:
    """Run a reader until the block ends; return a list that then has the numbers that it printed."""
    found: list[int] = []
    command = [sys.executable, "-c", script, admin]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=as_installed()
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            raise CouldNotRun(f"a reader did not start: {process.communicate()[1][-500:]}")
        yield found
    finally:
        process.terminate()
        said = process.communicate(timeout=TIMEOUT_S)[0]
    found += map(int, (first + said).split())


def anonymous(pid: int) -> float:
    """Return the memory of a process that is no file's, in KiB: what the rings take does not count."""
    found = _ANONYMOUS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return float(found[1]) if found else 0.0
