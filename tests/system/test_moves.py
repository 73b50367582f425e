"""Changes that leave or close an address, under load: a client whose `connect` has returned is answered.

A client that connects too late is refused; or, if it met an address that was about to close, after a second.
"""

import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from answerback.cli.client import connected
from answerback.document.document import load
from answerback.v1.config_service_pb2 import UpdateConfigRequest
from tests.ports import free_port
from tests.system.conftest import CALL_SECONDS, RunningServer, Start
from tests.system.test_unprivileged import UNDER
from tests.waiting import eventually

pytestmark = pytest.mark.long

CHANGES = 10
ANSWERED = 100  # clients between two changes
CLIENTS = 16
GOOD = {"answered", "refused"}

LISTENER = """
listeners:
  - name: it
    address: '{host}:{port}'
    framing: line
    engine: {engine}
    accept: {accept}
    rules: [{{do: [send: "ok\\n", close]}}]
"""
NONE = "listeners: []"


class Load:
    """Clients that connect to some ports all the time, and ask; what became of them."""

    def __init__(self, host: str, *ports: int) -> None:
        self.seen: Counter[tuple[int, str]] = Counter()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(host, ports[number % len(ports)])) for number in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def more(self, port: int) -> None:
        """Wait until this number of further clients have been answered."""
        until = self.seen[port, "answered"] + ANSWERED
        eventually(lambda: self.seen[port, "answered"] >= until, what=f"answers at {port}: {self.seen}")

    def stop(self) -> Counter[tuple[int, str]]:
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.seen

    def _run(self, host: str, port: int) -> None:
        while not self._over.wait(0.001):
            self.seen[port, fate(host, port)] += 1


def fate(host: str, port: int) -> str:
    """What becomes of one client."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
        client.settimeout(CALL_SECONDS)
        try:
            client.connect((host, port))
        except ConnectionRefusedError:
            return "refused"
        except ConnectionResetError:
            return "reset in connect"
        try:
            client.sendall(b"hi\n")
            answer = client.recv(16)
        except OSError as error:
            return type(error).__name__
        return "answered" if answer == b"ok\n" else f"answered {answer!r}"


ENGINES = pytest.mark.parametrize("engine", ["callback", "coroutine"])
# Each engine, privilege and number of workers meets each of the others once.
KINDS = pytest.mark.parametrize(
    "engine, under, workers",
    [
        ("callback", "as it is", 1),
        ("coroutine", "unprivileged", 1),
        ("coroutine", "as it is", 2),
        ("callback", "unprivileged", 2),
        ("callback", "as it is", 4),
        ("coroutine", "unprivileged", 4),
    ],
    indirect=["under"],
)


@pytest.fixture
def under(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "as it is":
        return ()
    if os.geteuid():
        pytest.skip("this user has no privilege anyway")
    return UNDER


@pytest.fixture
def loads() -> Iterator[list[Load]]:
    made: list[Load] = []
    yield made
    for load_ in made:
        load_.stop()


def change(running: RunningServer) -> Callable[[str], None]:
    def update(text: str) -> None:
        with connected(running.admin, CALL_SECONDS) as client:
            client.update_config(UpdateConfigRequest(config=load(text).config))

    return update


def outcomes(seen: Counter[tuple[int, str]], port: int) -> set[str]:
    return {what for at, what in seen if at == port}


def configured(port: int, engine: str, accept: str = "NORMAL", host: str = "127.0.0.1") -> str:
    return LISTENER.format(host=host, port=port, engine=engine, accept=accept)


@KINDS
def test_listener_moved_under_load_answers_every_connected_client(
    start_server: Start, loads: list[Load], engine: str, under: tuple[str, ...], workers: int
) -> None:
    ports = free_port(), free_port()
    running = start_server(configured(ports[0], engine), "--workers", str(workers), under=under)
    load_ = Load("127.0.0.1", *ports)
    loads.append(load_)
    for number in range(CHANGES):
        load_.more(ports[number % 2])
        change(running)(configured(ports[(number + 1) % 2], engine))
    seen = load_.stop()
    assert outcomes(seen, ports[0]) | outcomes(seen, ports[1]) <= GOOD, seen
    assert running.stop() == 0


@ENGINES
def test_ipv6_listener_moved_under_load_answers_every_connected_client(
    start_server: Start, loads: list[Load], engine: str
) -> None:
    ports = free_port(), free_port()
    running = start_server(configured(ports[0], engine, host="[::1]"), "--workers", "2")
    load_ = Load("::1", *ports)
    loads.append(load_)
    for number in range(CHANGES // 2):
        load_.more(ports[number % 2])
        change(running)(configured(ports[(number + 1) % 2], engine, host="[::1]"))
    seen = load_.stop()
    assert outcomes(seen, ports[0]) | outcomes(seen, ports[1]) <= GOOD, seen


@pytest.mark.parametrize("engine, accept", [("callback", "RESET"), ("coroutine", "CLOSE")])
def test_listener_moved_with_another_accept_mode_uses_it_at_the_new_port_only(
    start_server: Start, loads: list[Load], engine: str, accept: str
) -> None:
    """At one port it is NORMAL; no client may meet the other mode there."""
    here, there = free_port(), free_port()
    running = start_server(configured(here, engine), "--workers", "2")
    load_ = Load("127.0.0.1", here)
    loads.append(load_)
    for _ in range(CHANGES // 2):
        load_.more(here)
        change(running)(configured(there, engine, accept))
        change(running)(configured(here, engine))
    assert outcomes(load_.stop(), here) <= GOOD, load_.seen


@pytest.mark.parametrize("engine, away", [("callback", "removed"), ("coroutine", "REFUSE")])
def test_listener_removed_and_added_under_load_answers_every_connected_client(
    start_server: Start, loads: list[Load], engine: str, away: str
) -> None:
    port = free_port()
    running = start_server(configured(port, engine), "--workers", "2")
    load_ = Load("127.0.0.1", port)
    loads.append(load_)
    for _ in range(CHANGES // 2):
        load_.more(port)
        change(running)(NONE if away == "removed" else configured(port, engine, away))
        change(running)(configured(port, engine))
    assert outcomes(load_.stop(), port) <= GOOD, load_.seen


@KINDS
def test_stop_under_load_answers_every_connected_client(
    start_server: Start, loads: list[Load], engine: str, under: tuple[str, ...], workers: int
) -> None:
    port = free_port()
    for _ in range(3):
        running = start_server(configured(port, engine), "--workers", str(workers), under=under)
        load_ = Load("127.0.0.1", port)
        loads.append(load_)
        load_.more(port)
        assert running.stop() == 0
        assert outcomes(load_.stop(), port) <= GOOD, load_.seen
