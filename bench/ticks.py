"""The cost of a clock: CPU of a server whose connections each get a line at every tick, and are silent themselves."""

# Rule: on a busy machine ticks are late, and late ones become one: the CPU is that of the lines that arrived, as if all
#       had. A run in which half of them did not arrive is no measurement; it raises.
# Rule: the client reads behind the measurement, so that it takes no CPU from the server meanwhile.

import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.cpu import pinned, read_cpu
from bench.load import LoadFailed
from bench.memory import await_accepted, connect, workers
from bench.results import Ticked
from bench.roster import CONFIG_ADDRESS, Contender, serve, started

ENGINES = ("callback", "coroutine")
INTERVAL_S = 1
SECONDS = 20
SETTLE_S = 2 * INTERVAL_S  # from the last connect to the measurement
BEAT = b"beat\n"
READ = 1 << 16


def configuration(*, ticking: bool) -> str:
    """The work of the C floor, and a line every second if it ticks."""
    tick = f'      - {{event: TICK, interval: {INTERVAL_S}s, do: [send: "beat\\n"]}}\n' * ticking
    listener = f"  - name: bench\n    address: {CONFIG_ADDRESS}\n    framing: line\n"
    return f'listeners:\n{listener}    rules:\n{tick}      - do: [send: "+PONG\\r\\n"]\n'


def measure_ticks(
    engine: str, build: Path, cores: tuple[int, int], connections: int, seconds: float = SECONDS
) -> Ticked:
    """Measure a server with as many connections, with ticks and without. Raises CouldNotRun, LoadFailed or OSError.

    `cores`: those of the server and of the client.
    """
    idle_cores, _, _ = _measured(engine, build, cores, connections, seconds, ticking=False)
    used, took, beats = _measured(engine, build, cores, connections, seconds, ticking=True)
    due = connections * took / INTERVAL_S
    if sum(beats) < due / 2:
        raise LoadFailed(f"ticks: {sum(beats):,} of {due:,.0f} lines arrived in {took:.1f} s")
    return Ticked(engine, connections, sum(beats), took, idle_cores, used * max(1.0, due / sum(beats)))


def _measured(
    engine: str, build: Path, cores: tuple[int, int], connections: int, seconds: float, *, ticking: bool
) -> tuple[float, float, list[int]]:
    """Return the cores that a server uses, the seconds that were measured, and the lines on each connection."""
    launch = serve(f"ticks-{engine}-{ticking}.yaml", configuration(ticking=ticking), engine)
    with started(Contender(engine, engine, launch), build, cores[0]) as server, pinned(cores[1]), ExitStack() as stack:
        peers = connect(stack, server.port, connections)
        await_accepted(workers(server.pid), server.port, connections)
        time.sleep(SETTLE_S)
        drain(peers)
        began, before = time.monotonic(), read_cpu(server.pid)
        time.sleep(seconds)
        took, used = time.monotonic() - began, read_cpu(server.pid).since(before)
        return used / took, took, drain(peers)


def drain(peers: Sequence[socket.socket]) -> list[int]:
    """Read what has arrived; return the number of lines on each connection. Raises LoadFailed for other bytes."""
    counts = []
    for peer in peers:
        peer.setblocking(False)
        got = b""
        try:
            while data := peer.recv(READ):
                got += data
        except BlockingIOError:
            pass
        else:
            raise LoadFailed("ticks: the server closed a connection")
        if got.replace(BEAT, b""):
            raise LoadFailed(f"ticks: received {got[:80]!r}")
        counts.append(len(got) // len(BEAT))
    return counts
