"""`accept` as a client's socket sees it: switched live, and without a lasting effect."""

# Rule: what is asserted of time is that a client gave up (it waits for one second), or was served in less than that.

import os
import signal
import socket
import struct
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import click
import pytest

from answerback.cli.client import connected
from answerback.language.problems import InvalidConfig
from answerback.v1.config_pb2 import Accept, Config
from answerback.v1.config_service_pb2 import UpdateConfigRequest
from tests.ports import IPV6
from tests.system.conftest import CALL_SECONDS, RunningServer, Start
from tests.system.scraping import Metrics, worker_pids
from tests.waiting import eventually

pytestmark = pytest.mark.long

MODES = ("NORMAL", "REFUSE", "STALL", "CLOSE", "RESET", "HOLD")
CLIENTS = 12
PATIENCE = 1.0  # seconds, of a client: the kernel repeats a SYN for the first time after one second
LINGER_ZERO = struct.pack("ii", 1, 0)
CONFIG = """
listeners:
  - name: it
    address: '{address}'
    framing: line
    engine: {engine}
    accept: {accept}
    rules: [{{do: [send: "ok\\n"]}}]
"""
QUIET = ("REFUSE", "STALL")  # no client is accepted


every_engine = pytest.mark.parametrize("engine", ["callback", "coroutine"])
OTHERS = [
    pytest.param(("127.0.0.1:0", 1, "NORMAL"), id="v4-1"),
    pytest.param(("[::1]:0", 1, "NORMAL"), id="v6-1", marks=IPV6),
    pytest.param(("[::1]:0", 2, "NORMAL"), id="v6-2", marks=IPV6),
]


class Switched:
    """A server whose listener is switched, and its clients."""

    def __init__(self, running: RunningServer) -> None:
        self.running = running
        self.where = running.where()
        self.deaths = False
        """Whether workers were killed, which is logged as an error."""
        self.family = socket.AF_INET6 if ":" in self.where[0] else socket.AF_INET

    def switch(self, accept: str, *, regex: str = "") -> None:
        """Have every worker go by another mode; `regex` is for a rule, so that it can be a bad one."""
        with connected(self.running.admin, CALL_SECONDS) as client:
            config = Config()
            config.CopyFrom(client.get_config().config)
            config.listeners[0].accept = Accept.Value(f"ACCEPT_{accept}")
            if regex:
                config.listeners[0].rules[0].when.regex = regex
            client.update_config(UpdateConfigRequest(config=config))

    def switched_amid_deaths(self, accept: str) -> bool:
        """Switch; False if a worker that was asked turned out to be dead: then nothing has changed."""
        try:
            self.switch(accept)
        except click.ClickException as failure:
            if "nothing has changed" not in failure.message:
                raise
            return False
        return True

    def try_once(self, patience: float = PATIENCE) -> str:
        """What becomes of one client that connects, says a line, and waits for what comes back."""
        with socket.socket(self.family) as sock:
            sock.settimeout(patience)
            try:
                sock.connect(self.where)
            except ConnectionRefusedError:
                return "REFUSE"
            except TimeoutError:
                return "STALL"
            except ConnectionResetError:  # it was accepted, and its RST was quicker than we
                return "RESET"
            return told(sock)

    def try_many(self, count: int = CLIENTS) -> Counter[str]:
        """The same for a number of clients at once."""
        with ThreadPoolExecutor(count) as pool:
            return Counter(pool.map(lambda _: self.try_once(), range(count)))

    def metrics(self) -> Metrics:
        return Metrics.scrape(self.running.metrics)

    def mode_shown(self) -> str:
        return str(self.running.status()["listeners"][0]["accept"]).removeprefix("ACCEPT_")


def told(sock: socket.socket) -> str:
    """Say a line; which mode what comes back is a sign of."""
    try:
        sock.sendall(b"hi\n")
        heard = sock.recv(16)
    except ConnectionError:  # ECONNRESET, or EPIPE: the RST was quicker than we
        return "RESET"
    except TimeoutError:
        return "HOLD"
    return {b"ok\n": "NORMAL", b"": "CLOSE"}[heard]


@pytest.fixture
def engine() -> str:
    return "callback"


@pytest.fixture
def switched(start_server: Start, engine: str, request: pytest.FixtureRequest) -> Iterator[Switched]:
    """By default two workers on IPv4, and NORMAL; afterwards the counters must balance and the end be in order."""
    address, workers, accept = getattr(request, "param", ("127.0.0.1:0", 2, "NORMAL"))
    config = CONFIG.format(address=address, engine=engine, accept=accept)
    made = Switched(start_server(config, "--workers", str(workers)))
    yield made
    if made.running.process.poll() is None:
        eventually(lambda: made.metrics().balanced("it"), what="balanced books")
    assert made.running.stop() == 0
    assert made.deaths or not [line for line in made.running.lines() if line["level"] in ("ERROR", "CRITICAL")]


def walks(modes: Sequence[str]) -> list[str]:
    """From the first mode through every change there is, and back to the first."""
    left = {(one, other) for one in modes for other in modes if one != other}
    walk: list[str] = []
    stack = [modes[0]]
    while stack:  # Hierholzer: every mode is left the number of times that it is entered
        edge = next((edge for edge in sorted(left) if edge[0] == stack[-1]), None)
        if edge is None:
            walk.append(stack.pop())
        else:
            left.remove(edge)
            stack.append(edge[1])
    return walk[::-1]


@every_engine
def test_accept_mode_switches_from_any_to_any_other(switched: Switched) -> None:
    walk = walks(MODES)
    assert len(set(pairwise(walk))) == len(MODES) * (len(MODES) - 1)
    for mode in walk[1:]:
        switched.switch(mode)
        assert switched.try_many() == {mode: CLIENTS}, mode
        assert switched.mode_shown() == mode


@every_engine
@pytest.mark.parametrize("switched", OTHERS, indirect=True)
def test_accept_mode_switches_from_normal_to_any_and_back(switched: Switched) -> None:
    for mode in MODES[1:]:
        switched.switch(mode)
        assert switched.try_many() == {mode: CLIENTS}, mode
        switched.switch("NORMAL")
        assert switched.try_many() == {"NORMAL": CLIENTS}, mode


@pytest.mark.parametrize("switched", [("127.0.0.1:0", 2, mode) for mode in MODES], indirect=True)
def test_accept_mode_applies_from_the_start(switched: Switched) -> None:
    mode = switched.mode_shown()
    assert switched.try_many() == {mode: CLIENTS}
    with urllib.request.urlopen(f"http://{switched.running.metrics}/readyz", timeout=10) as answer:
        assert answer.status == 200, "it does as it was told"
    switched.switch("NORMAL")
    assert switched.try_many() == {"NORMAL": CLIENTS}


def test_status_prints_the_accept_mode(switched: Switched) -> None:
    switched.switch("STALL")
    row = next(line for line in switched.running.cli("status").stdout.splitlines() if line.startswith("it "))
    assert "STALL" in row.split()


def test_client_waiting_in_a_stall_is_served_when_it_ends(switched: Switched) -> None:
    switched.switch("STALL")
    with ThreadPoolExecutor(CLIENTS) as pool:
        waiting = [pool.submit(switched.try_once, 30.0) for _ in range(CLIENTS)]
        assert switched.try_once() == "STALL"
        switched.switch("NORMAL")
        assert switched.try_many() == {"NORMAL": CLIENTS}
        assert {each.result() for each in waiting} == {"NORMAL"}


# ── What is open already ────────────────────────────────────────────────────────────────────────────────────────────
@every_engine
def test_open_connections_are_served_through_every_accept_switch(switched: Switched) -> None:
    with switched.running.connect() as sock:
        assert told(sock) == "NORMAL"
        for mode in (*MODES[1:], "NORMAL"):
            switched.switch(mode)
            assert told(sock) == "NORMAL"


@every_engine
def test_held_client_is_answered_once_accept_is_normal_again(switched: Switched) -> None:
    switched.switch("HOLD")
    with switched.running.connect() as talker:
        talker.sendall(b"hi\nhi\n")
        for mode in ("STALL", "CLOSE", "RESET", "REFUSE", "HOLD"):
            switched.switch(mode)
        assert switched.metrics().value("received_bytes_total", listener="it") == 0
        assert switched.metrics().value("connections_open", listener="it") == 1
        switched.switch("NORMAL")
        assert talker.recv(6, socket.MSG_WAITALL) == b"ok\nok\n"


@every_engine
def test_held_client_that_sends_fin_is_closed_in_order(switched: Switched) -> None:
    switched.switch("HOLD")
    with switched.running.connect() as finished:
        finished.sendall(b"hi\n")
        finished.shutdown(socket.SHUT_WR)
        assert finished.recv(1) == b"", "unanswered, and without waiting for NORMAL"
    gave_up = {"listener": "it", "reason": "peer_gave_up"}
    eventually(lambda: switched.metrics().value("connections_closed_total", **gave_up) == 1, what="its count")


@every_engine
def test_held_client_is_closed_in_order_by_sigterm(switched: Switched) -> None:
    switched.switch("HOLD")
    with switched.running.connect() as sock:
        sock.sendall(b"hi\n")
        eventually(lambda: switched.metrics().value("connections_open", listener="it") == 1)
        switched.running.process.send_signal(signal.SIGTERM)
        assert sock.recv(1) == b"", "closed in order"
        sock.close()
        assert switched.running.process.wait(CALL_SECONDS) == 0


# ── Counters ────────────────────────────────────────────────────────────────────────────────────────────────────────
@every_engine
def test_counters_count_exactly_the_accepted_connections(switched: Switched) -> None:
    for mode in ("REFUSE", "STALL", "CLOSE", "RESET"):
        switched.switch(mode)
        assert switched.try_many() == {mode: CLIENTS}
    switched.switch("HOLD")
    held = [switched.running.connect() for _ in range(3)]
    for sock in held[:2]:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        sock.close()
    one = {"listener": "it"}
    expected = [
        ("connections_accepted_total", one, 2 * CLIENTS + 3),
        ("connections_open", one, 1),
        ("connections_closed_total", one | {"reason": "server_close"}, CLIENTS),
        ("connections_closed_total", one | {"reason": "server_reset"}, CLIENTS),
        ("connections_closed_total", one | {"reason": "peer_gave_up"}, 2),
        ("connections_without_data_total", one, 0),
        ("requests_total", one, 0),
    ]
    eventually(lambda: not switched.metrics().differences(expected), what="the counters")
    assert switched.metrics().balanced("it")
    assert switched.metrics().total("accept_errors_total", listener="it") == 0
    held[2].close()


class ConnectLoops:
    """Clients that connect without pause; what became of them."""

    def __init__(self, switched: Switched, clients: int = 4) -> None:
        self.seen: Counter[str] = Counter()
        self._switched = switched
        self._stopping = False
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def more(self, of: str, count: int = 50) -> None:
        """Wait until this number of further clients have had this result."""
        until = self.seen[of] + count
        eventually(lambda: self.seen[of] >= until, what=f"{count} more clients that see {of}")

    def stop(self) -> Counter[str]:
        self._stopping = True
        for thread in self._threads:
            thread.join()
        return self.seen

    def _run(self) -> None:
        while not self._stopping:
            fate = self._switched.try_once(30.0)
            self.seen[fate] += 1


@every_engine
@pytest.mark.parametrize("mode", ["REFUSE", "STALL", "CLOSE", "RESET"])
def test_accept_switch_loses_no_accepted_connection(switched: Switched, mode: str) -> None:
    loops = ConnectLoops(switched)
    loops.more("NORMAL")
    for _ in range(3):
        switched.switch(mode)
        if mode != "STALL":  # of those they wait for the end, which is not seen
            loops.more(mode)
        switched.switch("NORMAL")
        loops.more("NORMAL")
    seen = loops.stop()
    assert set(seen) <= {"NORMAL", mode}, seen
    accepted = seen.total() - (seen[mode] if mode in QUIET else 0)
    assert switched.metrics().value("connections_accepted_total", listener="it") == accepted


# ── Deaths, and changes that do not succeed ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", MODES[1:])
def test_restarted_worker_keeps_the_accept_mode(switched: Switched, mode: str) -> None:
    switched.switch(mode)
    before = worker_pids(switched.running)
    switched.deaths = True
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not {0, *before} & set(worker_pids(switched.running)), what="successors")
    eventually(lambda: all(one["revision"] == 2 for one in switched.running.status()["workers"]), what="they serve")
    assert switched.try_many() == {mode: CLIENTS}
    switched.switch("NORMAL")
    assert switched.try_many() == {"NORMAL": CLIENTS}


@pytest.mark.parametrize("mode", QUIET)
def test_client_queued_at_a_dead_worker_is_served_by_its_successor(switched: Switched, mode: str) -> None:
    switched.deaths = True
    for pid in worker_pids(switched.running):
        os.kill(pid, signal.SIGKILL)
    queued = [switched.running.connect() for _ in range(CLIENTS)]
    eventually(lambda: switched.switched_amid_deaths(mode), what="a change that no death comes between")
    eventually(lambda: all(one["revision"] == 2 for one in switched.running.status()["workers"]), what="successors")
    # The address falls silent before it is closed, until the handshakes that were in progress are over.
    eventually(lambda: switched.try_many() == {mode: CLIENTS}, what=f"{mode} at every try")
    if mode == "REFUSE":  # in a stall they wait, for it is they who fill the queues
        assert [told(sock) for sock in queued] == ["NORMAL"] * CLIENTS
    switched.switch("NORMAL")
    if mode == "STALL":
        assert [told(sock) for sock in queued] == ["NORMAL"] * CLIENTS
    for sock in queued:
        sock.close()
    assert switched.try_many() == {"NORMAL": CLIENTS}


@pytest.mark.parametrize("mode", QUIET)
def test_rejected_change_leaves_the_accept_mode(switched: Switched, mode: str) -> None:
    for former, wanted in (("NORMAL", mode), (mode, "NORMAL")):
        with pytest.raises(InvalidConfig):
            switched.switch(wanted, regex="(?=look)")
        assert switched.try_many() == {former: CLIENTS}
        switched.switch(wanted)
        assert switched.try_many() == {wanted: CLIENTS}


@pytest.mark.parametrize("mode", QUIET)
def test_port_of_a_silent_listener_stays_bound(switched: Switched, mode: str) -> None:
    switched.switch(mode)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(switched.where)
