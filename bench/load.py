"""The load: redis-benchmark in three modes, and the check that every request was answered."""

# Rule: a run that is not wholly answered is no measurement; it raises.

import re
import socket
import subprocess
from dataclasses import dataclass

CLIENTS = 50
PIPELINE = 16
TIMEOUT_S = 120
REQUEST = b"PING\r\n"
REPLY = b"+PONG\r\n"

_COMPLETED = re.compile(r"^\s*(\d+) requests completed in [\d.]+ seconds", re.MULTILINE)
_RATE = re.compile(r"throughput summary: ([\d.]+|inf) requests per second")
_LATENCY = re.compile(r"latency summary \(msec\):\s*avg\s+min\s+p50\s+p95\s+p99\s+max\s+((?:[\d.]+\s*){6})")
# What redis-benchmark says of servers that are not Redis, or of the mode: none of it is about an answer.
_HARMLESS = re.compile(r"^(WARNING: (Could not fetch server CONFIG|Keepalive disabled)|ERROR: failed to fetch CONFIG)")


class LoadFailed(RuntimeError):
    """The client got an error, or fewer answers than it was to get."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to ask. ``requests`` is the full count; it bounds the ports that a one-shot run leaves in TIME_WAIT."""

    name: str
    options: tuple[str, ...]
    requests: int
    smoke_requests: int
    command: tuple[str, ...] = ("-t", "ping_inline")  # what is asked


# Counts: about half a second of server CPU each. One-shot: the client has 28,000 ports, and loopback frees them in 1 s.
MODES = (
    Mode("persistent", ("-k", "1"), 30_000, 500),
    Mode("one-shot", ("-k", "0"), 8_000, 200),
    Mode("pipelined", ("-k", "1", "-P", str(PIPELINE)), 320_000, 16_000),
)


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What the client saw of a run."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float


def run_load(program: str, port: int, mode: Mode, requests: int) -> LoadResult:
    """Ask a server on the loopback ``requests`` times; raises LoadFailed unless all were answered."""
    command = [program, "-h", "127.0.0.1", "-p", str(port), "-c", str(CLIENTS)]
    command += ["-n", str(requests), *mode.options, *mode.command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as late:
        raise LoadFailed(f"{mode.name}: the client was still waiting after {TIMEOUT_S} s") from late
    if complaints := [line for line in done.stderr.splitlines() if line.strip() and not _HARMLESS.match(line)]:
        raise LoadFailed(f"{mode.name}: {complaints[0].strip()}")
    if done.returncode != 0:
        raise LoadFailed(f"{mode.name}: the client exited with {done.returncode}")
    return parse_load(done.stdout, requests)


def parse_load(output: str, requests: int) -> LoadResult:
    """Read redis-benchmark's summary; raises LoadFailed if it is missing or counts fewer requests than asked."""
    if "Error" in output:
        raise LoadFailed(next(line.strip() for line in output.splitlines() if "Error" in line))
    completed, rate, latency = _COMPLETED.search(output), _RATE.search(output), _LATENCY.search(output)
    if completed is None or rate is None or latency is None:
        raise LoadFailed("the client printed no summary (redis-benchmark 6.2 or newer is needed)")
    if int(completed[1]) < requests:
        raise LoadFailed(f"only {completed[1]} of {requests} requests were answered")
    _, _, p50, _, p99, _ = (float(number) for number in latency[1].split())
    return LoadResult(int(completed[1]), float(rate[1]), p50, p99)


def probe(port: int, requests: int = 1, timeout: float = 5.0) -> None:
    """Ask ``requests`` times in one write and check every byte that comes back; raises LoadFailed or OSError."""
    expected = REPLY * requests
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(REQUEST * requests)
        got = b""
        while len(got) < len(expected) and (data := connection.recv(len(expected) - len(got))):
            got += data
    if got != expected:
        raise LoadFailed(f"answered {got[:80]!r}, expected {requests} × {REPLY!r}")
