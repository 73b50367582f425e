"""How long calls of Toxiproxy's API take on a server with live traffic, and what that traffic notices of them."""

# Rule: a toxic that does nothing (a latency of 0), so that what the traffic notices is the change and not the toxic.
# Rule: on all cores, as a server for tests runs.

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cpu import Cores
from bench.load import LoadFailed
from bench.proxies import ANSWERBACK, filled
from bench.relay import TIMEOUT_S, round_trips
from bench.results import Toxics
from bench.roster import CONFIG_ADDRESS, CONTENDERS, serve, started
from bench.server import free_port, running
from bench.stats import percentile, spread

ENGINES = ("callback", "coroutine")
WORKERS = 2
CALLS = 100  # of each kind
SMOKE_CALLS = 3
TRAFFIC_S = 0.1  # of one part of the live traffic
TOXIC = {"type": "latency", "attributes": {"latency": 0, "jitter": 0}}


class Api:
    """A client of the API, with a connection for each call."""

    def __init__(self, port: int) -> None:
        self._port = port

    def call(self, method: str, path: str, body: object, status: int) -> float:
        """Make a call; return the seconds that it took. Raises LoadFailed unless it is answered with this status."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status != status:
            raise LoadFailed(f"toxics: {method} {path} was answered {answer.status}: {said[:200]!r}")
        return time.perf_counter() - began


@contextmanager
def traffic(port: int, waits: list[float]) -> Iterator[None]:
    """Live traffic on the proxy until the block ends: 1,000 round trips a second, whose times go to `waits`."""
    over = threading.Event()
    failed: list[Exception] = []

    def ask() -> None:
        try:
            while not over.is_set():
                waits.extend(round_trips(port, TRAFFIC_S))
        except (LoadFailed, OSError) as problem:
            failed.append(problem)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(TIMEOUT_S)
    if failed:
        raise failed[0]


def measure_toxics(engine: str, build: Path, cores: Cores, tell: Callable[[str], None], *, smoke: bool) -> Toxics:
    """Add and remove a toxic again and again. Raises CouldNotRun, LoadFailed or OSError."""
    calls = SMOKE_CALLS if smoke else CALLS
    tell(f"toxics: {engine}, {calls} calls of each kind")
    api, proxy = free_port(), free_port()
    with started(CONTENDERS["floor"], build, cores.client) as floor:
        config = filled(ANSWERBACK, SMALL=CONFIG_ADDRESS, MUCH=free_port(), FLOOR=floor.port, SOURCE=floor.port)
        launch = serve(f"toxics-{engine}.yaml", config, engine, WORKERS)(build)
        with running([*launch.command, "--toxiproxy-api", f"127.0.0.1:{api}"], None, launch.ports):
            client = Api(api)
            made = {"name": "it", "listen": f"127.0.0.1:{proxy}", "upstream": f"127.0.0.1:{floor.port}"}
            client.call("POST", "/proxies", made, 201)
            calm: list[float] = []
            with traffic(proxy, calm):
                time.sleep(TRAFFIC_S)
            added: list[float] = []
            removed: list[float] = []
            busy: list[float] = []
            with traffic(proxy, busy):
                for _ in range(calls):
                    added.append(client.call("POST", "/proxies/it/toxics", TOXIC, 200))
                    removed.append(client.call("DELETE", "/proxies/it/toxics/latency_downstream", None, 204))
    p99 = [1000 * percentile(each, 0.99) for each in (calm, busy)]
    return Toxics(engine, WORKERS, spread(added), spread(removed), calm_p99_ms=p99[0], p99_ms=p99[1])
