"""The time that the fixtures of `answerback.testing` take: a server until it is ready, and each further listener."""

# Rule: servers are started by fresh processes, imports included, as a test suite starts them.

import re
import socket
import subprocess
import sys
import time
from collections import deque

from answerback.testing import Answerback, Listener, Server
from bench.results import Fixture
from bench.server import CouldNotRun, as_installed
from bench.stats import percentile, spread

TOGETHER = 4  # servers that are started at once, as by `pytest -n 4`
LISTENERS = 300
LIVE = 20  # at most, one client each
TIMEOUT_S = 60

READY = """
import time
began = time.perf_counter()
from answerback.testing import Server
with Server() as server:
    print("ready", time.perf_counter() - began, flush=True)
"""
_SECONDS = re.compile(r"^ready ([\d.]+)$", re.MULTILINE)


def ready(count: int) -> list[float]:
    """Start a number of servers at once; return the seconds until each was ready. Raises CouldNotRun."""
    command = [sys.executable, "-c", READY]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=as_installed())
        for _ in range(count)
    ]
    said = [process.communicate(timeout=TIMEOUT_S)[0] for process in processes]
    found = [_SECONDS.search(text) for text in said]
    if not all(found):
        raise CouldNotRun("a server did not start: " + next(text for text in said if not _SECONDS.search(text))[-500:])
    return [float(each[1]) for each in found if each]


def listen(answerback: Answerback, count: int) -> list[float]:
    """Make listeners, each with a client; return the seconds that each took."""
    live: deque[tuple[Listener, socket.socket]] = deque()
    took = []
    for _ in range(count):
        began = time.perf_counter()
        listener = answerback.listen(framing="line", rules=[{"when": "PING", "do": [{"send": "+PONG\r\n"}]}])
        took.append(time.perf_counter() - began)
        live.append((listener, socket.create_connection(listener.address, TIMEOUT_S)))
        if len(live) == LIVE:
            end(*live.popleft())
    for each in live:
        end(*each)
    return took


def end(listener: Listener, client: socket.socket) -> None:
    """Close a client and its listener."""
    client.close()
    listener.close()


def measure_fixture(starts: int, listeners: int) -> Fixture:
    """Measure it all; raises CouldNotRun."""
    one = [seconds for _ in range(starts) for seconds in ready(1)]
    together = [max(ready(TOGETHER)) for _ in range(starts)]
    with Server() as server:
        took = listen(Answerback(server), listeners)
    return Fixture(spread(one), spread(together), spread(took), percentile(took, 0.95))
