"""Memory per idle connection: PSS of the workers before and with many connections open."""

# Rule: a fresh server for each measurement; what an earlier load left in its free lists would hide the cost.
# Rule: only what the workers hold counts; the supervisor is there once, whatever is connected.

import resource
import socket
import struct
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from bench.cpu import descendants
from bench.load import REPLY, REQUEST, LoadFailed
from bench.results import Memory
from bench.server import Server

CONNECTIONS = 10_000
WARM_UP = 100
SPARE_DESCRIPTORS = 512  # for server and bench, in addition to those of the connections
SOURCES = 4  # addresses to connect from, so that ports in TIME_WAIT never matter
TIMEOUT_S = 60
POLL_S = 0.1
STEADY_BYTES = 64 * 1024
# On a busy machine it is never steady: a page of a library counts for less each time another process maps it too.
STEADY_S = 5
ESTABLISHED = "01"  # the state in /proc/net/tcp
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: leave without TIME_WAIT


def parse_pss(rollup: str) -> int:
    """Read the proportional set size, in bytes, out of ``/proc/PID/smaps_rollup``; raises ValueError."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("smaps_rollup without Pss")


def workers(pid: int) -> list[int]:
    """Return the processes that hold the connections: the descendants, or the server itself if it has none."""
    return descendants(pid) or [pid]


def pss(pids: list[int]) -> int:
    """Return the PSS of some processes together, in bytes."""
    return sum(parse_pss(Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in pids)


def accepted(pids: list[int], port: int) -> int:
    """Return how many connections to this port some processes hold together, by proc(5)."""
    established = {
        fields[9]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pids[0]}/net/{table}").read_text().splitlines()[1:]
        if (fields := line.split())[3] == ESTABLISHED and fields[1].endswith(f":{port:04X}")
    }
    return sum(target[8:-1] in established for pid in pids for target in sockets(pid))


def sockets(pid: int) -> list[str]:
    """Return what a process's descriptors refer to, those of sockets."""
    targets = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            targets.append(str(descriptor.readlink()))
    return [target for target in targets if target.startswith("socket:[")]


def connections_possible(wanted: int) -> int:
    """Raise the descriptor limit as far as allowed; return how many connections it leaves room for."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(wanted, hard - SPARE_DESCRIPTORS) if hard != resource.RLIM_INFINITY else wanted


def measure_memory(key: str, server: Server, connections: int) -> Memory:
    """Open idle connections to a fresh server and weigh them; raises LoadFailed or OSError."""
    pids = workers(server.pid)
    with ExitStack() as few:
        ask(connect(few, server.port, WARM_UP))
    await_accepted(pids, server.port, 0)
    before = steady_pss(pids)
    with ExitStack() as many:
        peers = connect(many, server.port, connections)
        await_accepted(pids, server.port, connections)
        connected = steady_pss(pids)
        ask(peers)
        answered = steady_pss(pids)
    return Memory(key, connections, before, (connected - before) / connections, (answered - before) / connections)


def connect(stack: ExitStack, port: int, count: int) -> list[socket.socket]:
    """Open connections that are reset when the stack is left."""
    peers = []
    for number in range(count):
        peer = stack.enter_context(socket.socket())
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        peer.settimeout(TIMEOUT_S)
        peer.bind((f"127.0.0.{2 + number % SOURCES}", 0))
        peer.connect(("127.0.0.1", port))
        peers.append(peer)
    return peers


def ask(peers: list[socket.socket]) -> None:
    """Have one request answered on every connection."""
    for peer in peers:
        peer.sendall(REQUEST)
    for peer in peers:
        if (got := peer.recv(len(REPLY), socket.MSG_WAITALL)) != REPLY:
            raise LoadFailed(f"memory: answered {got!r}")


def await_accepted(pids: list[int], port: int, connections: int) -> None:
    """Wait until the workers hold this many connections; raises LoadFailed if they do not."""
    deadline = time.monotonic() + TIMEOUT_S
    while (count := accepted(pids, port)) != connections:
        if time.monotonic() > deadline:
            raise LoadFailed(f"memory: the workers hold {count} connections, expected {connections}")
        time.sleep(POLL_S)


def steady_pss(pids: list[int]) -> int:
    """Return the PSS once it has stopped changing, or after STEADY_S seconds."""
    last = pss(pids)
    deadline = time.monotonic() + STEADY_S
    while True:
        time.sleep(POLL_S)
        now = pss(pids)
        if abs(now - last) < STEADY_BYTES or time.monotonic() > deadline:
            return now
        last = now
