"""Listening sockets: bound, passed, inherited and adopted, without losing a queued connection."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from answerback.internal.v1.link_pb2 import Adopt, Command, Event, Prepare, Release, SocketName
from answerback.language.addresses import Address, of_key
from answerback.link import Link, Received
from answerback.net.acceptor import BACKLOG
from answerback.supervisor.sockets.table import Bound, CannotListen, Sockets
from tests.descriptors import descriptors
from tests.ports import free_port

HERE = Path(__file__).parents[1]
ANY = "127.0.0.1:0#hello"
PATIENCE = 0.3  # the kernel repeats a SYN after a second: a later connection found no listener


async def listen(sockets: Sockets, *keys: str) -> dict[str, Bound]:
    with sockets.binding(keys) as bound:
        async with sockets.changing(bound):
            pass
    return bound


def port_of(sockets: Sockets, key: str = ANY) -> int:
    return int(sockets.address(key).rpartition(":")[2])


def cannot(sockets: Sockets, *keys: str) -> dict[str, str]:
    with pytest.raises(CannotListen) as raised, sockets.binding(keys):
        pass
    return raised.value.reasons


def somaxconn() -> int:
    return int(Path("/proc/sys/net/core/somaxconn").read_text())


def listening(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        return client.connect_ex(("127.0.0.1", port)) == 0


# ── Binding and listening ───────────────────────────────────────────────────────────────────────────────────────────
async def test_slots_have_sockets_on_the_same_port_chosen_by_the_kernel(sockets: Sockets) -> None:
    await listen(sockets, ANY)
    names = {sockets.of(slot)[ANY].getsockname() for slot in range(2)}
    assert len(names) == 1
    assert sockets.address(ANY) == "{}:{}".format(*names.pop())
    assert sockets.of(0)[ANY].fileno() != sockets.of(1)[ANY].fileno()


async def test_connections_are_spread_over_the_slots(sockets: Sockets) -> None:
    await listen(sockets, ANY)
    clients = [socket.create_connection(("127.0.0.1", port_of(sockets))) for _ in range(64)]
    for slot in range(2):
        sock = sockets.of(slot)[ANY]
        sock.setblocking(False)
        connection, _ = sock.accept()
        connection.close()
    for client in clients:
        client.close()


async def test_bound_socket_answers_no_client_before_the_decision(sockets: Sockets) -> None:
    with sockets.binding([ANY]) as bound:
        port = int(bound[ANY].address.rpartition(":")[2])
        assert not listening(port)
        async with sockets.changing(bound):
            assert not listening(port)
    assert listening(port)


async def test_bound_address_not_kept_is_released(sockets: Sockets) -> None:
    with sockets.binding([ANY]) as bound:
        address = bound[ANY].address
    assert not sockets.keys
    await listen(sockets, address)


async def test_address_already_listened_on_is_not_bound_again(sockets: Sockets) -> None:
    before = (await listen(sockets, ANY))[ANY]
    with sockets.binding([ANY, ANY]) as bound:
        assert bound == {}
    assert sockets.of(0)[ANY] is before.sockets[0]


async def test_listen_queue_holds_a_thousand_clients(sockets: Sockets) -> None:
    assert somaxconn() >= BACKLOG, "the kernel would take less"
    await listen(sockets, ANY)
    clients = [socket.create_connection(("127.0.0.1", port_of(sockets)), timeout=5) for _ in range(1000)]
    for client in clients:
        client.close()


async def test_closed_socket_frees_its_port(sockets: Sockets) -> None:
    await listen(sockets, ANY)
    port = port_of(sockets)
    sockets.close([ANY])
    assert sockets.address(ANY) == ""
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


async def test_ipv6_wildcard_does_not_bind_ipv4(sockets: Sockets) -> None:
    await listen(sockets, "[::]:0#six")
    port = port_of(sockets, "[::]:0#six")
    assert sockets.address("[::]:0#six") == f"[::]:{port}"
    assert not listening(port)
    await listen(sockets, f"0.0.0.0:{port}")
    assert listening(port)


async def test_address_can_be_replaced_by_a_wider_one_on_its_port(sockets: Sockets) -> None:
    port = free_port()
    await listen(sockets, f"127.0.0.1:{port}")
    await listen(sockets, f"0.0.0.0:{port}")
    sockets.close([f"127.0.0.1:{port}"])
    assert listening(port)


# ── What cannot be listened on ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "reuse", [0, socket.SO_REUSEADDR, socket.SO_REUSEPORT], ids=["plain", "reuseaddr", "reuseport"]
)
def test_port_in_use_is_reported_when_binding(sockets: Sockets, reuse: int) -> None:
    with socket.socket() as taken:
        if reuse:
            taken.setsockopt(socket.SOL_SOCKET, reuse, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        key = f"127.0.0.1:{taken.getsockname()[1]}"
        assert cannot(sockets, key) == {key: "the port is in use; `ss -ltnp` shows the process"}


async def test_port_in_use_is_reported_when_listening(sockets: Sockets) -> None:
    with socket.socket() as faster, sockets.binding([ANY]) as bound:
        faster.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        faster.bind(bound[ANY].sockets[0].getsockname())
        faster.listen()
        with pytest.raises(CannotListen, match="the port is in use"):
            async with sockets.changing(bound):
                pass
    assert not sockets.keys


async def test_listening_port_cannot_be_bound_by_another_process(sockets: Sockets) -> None:
    await listen(sockets, ANY)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", port_of(sockets)))


def test_bind_to_address_of_another_machine_is_rejected(sockets: Sockets) -> None:
    assert cannot(sockets, "198.51.100.1:8000") == {"198.51.100.1:8000": "not an address of this machine"}


def test_all_bind_failures_are_reported_and_nothing_stays_bound(sockets: Sockets) -> None:
    before = descriptors()
    reasons = cannot(sockets, "198.51.100.1:8000", ANY, "203.0.113.1:8000")
    assert list(reasons) == ["198.51.100.1:8000", "203.0.113.1:8000"]
    assert descriptors() <= before


PRIVILEGED = """
import os
from answerback.supervisor.sockets.table import CannotListen, Sockets
os.setresuid(65534, 65534, 65534)
try:
    with Sockets(1).binding(["127.0.0.1:7"]):
        pass
except CannotListen as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_bind_to_privileged_port_without_rights_gives_advice() -> None:
    said = subprocess.run([sys.executable, "-c", PRIVILEGED], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"127.0.0.1:7: a privileged port; choose one from \d+ on, or .*\n", said)


def test_socket_key_parses_to_its_address() -> None:
    assert of_key("[fe80::1]:80") == Address("fe80::1", 80)
    assert of_key(ANY) == Address("127.0.0.1", 0)


# ── Across death and change ─────────────────────────────────────────────────────────────────────────────────────────
class Worker:
    """An answering worker and its link."""

    def __init__(self, slot: int) -> None:
        ours, theirs = socket.socketpair()
        self.slot = slot
        command = [sys.executable, str(HERE / "answering_worker.py"), f"--link={theirs.fileno()}", f"--slot={slot}"]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent / "service")}
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        theirs.close()
        self.reports = 0
        self._news = asyncio.Event()
        self.link = Link(ours, Event, self._received, self._news.set)

    def _received(self, _received: Received[Event]) -> None:
        self.reports += 1
        self._news.set()

    async def reported(self, count: int) -> None:
        while self.reports < count:
            self._news.clear()
            await self._news.wait()

    async def accept_on(self, sockets: dict[str, socket.socket]) -> None:
        """Pass the sockets, and wait until it accepts on them."""
        names = [SocketName(key=key, slot=self.slot) for key in sockets]
        before = self.reports
        self.link.send(Command(prepare=Prepare(sockets=names)), list(sockets.values()))
        await self.reported(before + 1)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        self.link.close()
        self.kill()


class ConnectLoop:
    """A thread that connects without pause; counts the answers, and keeps what went wrong."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: Counter[bytes] = Counter()
        self.errors: list[OSError] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
                    self.answers[client.recv(16)] += 1
            except OSError as error:
                self.errors.append(error)

    async def more(self, enough: Callable[[Counter[bytes]], bool] | None = None) -> None:
        """Wait for some 100 answers more, or until they are enough."""
        until = self.answers.total() + 100
        while not (enough(self.answers) if enough else self.answers.total() >= until):
            assert self._thread.is_alive()
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.to_thread(self._thread.join)


@pytest.fixture
async def workers(sockets: Sockets) -> AsyncIterator[list[Worker]]:
    await listen(sockets, ANY)
    made = [Worker(slot) for slot in range(2)]
    for worker in made:
        await worker.accept_on(sockets.of(worker.slot))
    yield made
    for worker in made:
        worker.end()


@pytest.fixture
async def clients(sockets: Sockets) -> AsyncIterator[list[ConnectLoop]]:
    loops = [ConnectLoop(port_of(sockets)) for _ in range(4)]
    yield loops
    for loop in loops:
        await loop.stop()


def answers(loops: Sequence[ConnectLoop]) -> Counter[bytes]:
    return sum((loop.answers for loop in loops), Counter())


async def test_queue_of_a_killed_worker_is_served_by_the_next_one(
    sockets: Sockets, workers: list[Worker], clients: list[ConnectLoop]
) -> None:
    await clients[0].more()
    workers[0].kill()
    workers[0].link.close()
    workers[0] = Worker(0)
    await workers[0].accept_on(sockets.of(0))
    before = answers(clients)[b"0\n"]
    await clients[0].more(lambda _: answers(clients)[b"0\n"] > before + 50)
    for loop in clients:
        await loop.stop()
    # What the worker had accepted when it died is lost, no more: one connection, for it takes them one at a time.
    assert sum(len(loop.errors) for loop in clients) + answers(clients)[b""] <= 1


async def test_sibling_worker_adopts_the_queue_and_returns_it(
    sockets: Sockets, workers: list[Worker], clients: list[ConnectLoop]
) -> None:
    await clients[0].more()
    workers[0].kill()
    workers[0].link.close()
    orphan = sockets.of(0)
    names = [SocketName(key=key, slot=0) for key in orphan]
    workers[1].link.send(Command(adopt=Adopt(slot=0, sockets=names)), list(orphan.values()))
    for loop in clients:
        await loop.more()
    workers[0] = Worker(0)
    await workers[0].accept_on(orphan)
    workers[1].link.send(Command(release=Release(slot=0)))
    before = answers(clients)[b"0\n"]
    await clients[0].more(lambda _: answers(clients)[b"0\n"] > before + 50)
    for loop in clients:
        await loop.stop()
    assert sum(len(loop.errors) for loop in clients) + answers(clients)[b""] <= 1


async def test_address_added_under_load_loses_no_connection(
    sockets: Sockets, workers: list[Worker], clients: list[ConnectLoop]
) -> None:
    added = "127.0.0.1:0#added"
    with sockets.binding([added]) as bound:
        for worker in workers:
            await worker.accept_on({added: bound[added].sockets[worker.slot]})
        async with sockets.changing(bound):
            pass
    newcomer = ConnectLoop(port_of(sockets, added))
    await newcomer.more()
    await newcomer.stop()
    for loop in clients:
        await loop.stop()
    assert [loop.errors for loop in [*clients, newcomer]] == [[]] * 5
    assert set(newcomer.answers) == {b"0\n", b"1\n"}
