"""Clients in mid-handshake when an address is left or closed are answered.

With TCP_DEFER_ACCEPT (tcp(7)) a handshake ends with the client's first bytes; the client takes it for ended before.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from time import monotonic

import pytest

from answerback.supervisor import ChangeFailed
from answerback.supervisor.errors import StoreFailed
from answerback.supervisor.rollout import address_closer
from answerback.supervisor.sockets.handshakes import in_progress
from tests.ports import free_port
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, config, listener, refused, until

CLIENTS = 16  # so that each of two slots has some
PATIENCE = 60.0  # of the supervisor, in place of a second: the machine may be busy
REFUSING = "  accept: REFUSE\n"
RESETTING = "  accept: RESET\n"

HalfIn = Callable[[Supervised], list[socket.socket]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_closer, "HANDSHAKE_SECONDS", PATIENCE)


def only_key(supervisor: Supervised) -> str:
    (key,) = supervisor._sockets.keys
    return key


@pytest.fixture
def half_in() -> Iterator[HalfIn]:
    """Make clients whose handshakes are in progress at the only address."""
    made: list[socket.socket] = []

    def make(supervisor: Supervised) -> list[socket.socket]:
        listening = supervisor._sockets._bound[only_key(supervisor)].sockets
        for sock in listening:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
        host, port = listening[0].getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1"}.get(host, host)
        clients = [socket.create_connection((host, port), timeout=20) for _ in range(CLIENTS)]
        made.extend(clients)
        assert in_progress(listening[0]) == CLIENTS
        return clients

    yield make
    for client in made:
        client.close()


async def ask(clients: Sequence[socket.socket]) -> set[bytes]:
    """What clients are answered; b"" is an end without an answer."""

    def ask_all() -> set[bytes]:
        for client in clients:
            client.sendall(b"hi\n")
        return {client.recv(64) for client in clients}

    return await asyncio.to_thread(ask_all)


def waits(supervisor: Supervised) -> bool:
    """Whether an address is silent, and waits for its clients."""
    return bool(supervisor._sockets.closing)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0"])
@pytest.mark.parametrize("workers", [1, 2])
async def test_clients_in_handshake_at_the_former_address_are_answered(
    supervise: Supervise, half_in: HalfIn, host: str, workers: int
) -> None:
    old, new = free_port(), free_port()
    supervisor = await supervise(listener(address=f"'{host}:{old}'"), workers=workers)
    clients = half_in(supervisor)
    await supervisor.update(config(listener("two", address=f"127.0.0.1:{new}")))
    assert waits(supervisor), "the caller has not waited for them"
    assert await supervisor.answers() == {b"two"}
    assert await ask(clients) == {b"two"}
    await until(lambda: not waits(supervisor))
    assert refused(old)
    await until(lambda: supervisor.balance() == (CLIENTS + 24, CLIENTS + 24, 0))


LINES = """
- name: hello
  address: 127.0.0.1:0
  framing: line
  engine: {engine}
  {more}
  rules: [{{do: [{{send: "ok\\n"}}]}}]
"""


@pytest.mark.parametrize("engine", ["CALLBACK", "COROUTINE"])
async def test_clients_half_open_at_a_syn_filter_are_served_after_the_change(
    supervise: Supervise, half_in: HalfIn, engine: str
) -> None:
    supervisor = await supervise(LINES.format(engine=engine, more=""), workers=2)
    clients = half_in(supervisor)
    await supervisor.update(config(LINES.format(engine=engine, more="accept: REFUSE")))
    for _ in range(3):
        assert await ask(clients) == {b"ok\n"}


async def test_clients_in_handshake_at_the_former_address_meet_its_accept_mode(
    supervise: Supervise, half_in: HalfIn
) -> None:
    supervisor = await supervise(listener(address=f"127.0.0.1:{free_port()}"), workers=2)
    clients = half_in(supervisor)
    await supervisor.update(config(listener("two", address=f"127.0.0.1:{free_port()}") + RESETTING))
    assert await ask(clients) == {b"two"}


async def test_clients_in_handshake_at_a_removed_listener_are_answered(supervise: Supervise, half_in: HalfIn) -> None:
    supervisor = await supervise(listener(), workers=2)
    port, clients = supervisor.port(), half_in(supervisor)
    await supervisor.update(config())
    assert await ask(clients) == {b"one"}
    await until(lambda: not waits(supervisor))
    assert refused(port)
    await until(lambda: supervisor.balance() == (CLIENTS, CLIENTS, 0))


async def test_clients_in_handshake_when_a_listener_changes_to_refuse_are_answered(
    supervise: Supervise, half_in: HalfIn
) -> None:
    supervisor = await supervise(listener(), workers=2)
    clients = half_in(supervisor)
    await supervisor.update(config(listener() + REFUSING))
    assert waits(supervisor)
    assert await ask(clients) == {b"one"}
    await until(lambda: not waits(supervisor))
    assert refused(supervisor.port())


async def test_clients_in_handshake_at_a_drained_listener_are_answered(supervise: Supervise, half_in: HalfIn) -> None:
    supervisor = await supervise(listener(), workers=2)
    clients = half_in(supervisor)
    steps = supervisor.operations.drain()
    await anext(steps)
    await until(lambda: waits(supervisor))
    assert await ask(clients) == {b"one"}
    await until(lambda: not waits(supervisor))
    assert refused(supervisor.port())
    async for _ in steps:
        pass
    await supervisor.operations.resume()
    assert await supervisor.answers() == {b"one"}


@pytest.mark.parametrize("workers", [1, 2])
async def test_clients_in_handshake_during_shutdown_are_answered(
    supervise: Supervise, half_in: HalfIn, workers: int
) -> None:
    supervisor = await supervise(listener(), workers=workers, grace_seconds=PATIENCE)
    port, clients = supervisor.port(), half_in(supervisor)
    stopping = asyncio.create_task(supervisor.stop())
    await until(lambda: waits(supervisor))
    assert await ask(clients) == {b"one"}
    await stopping
    assert refused(port)


async def test_abort_does_not_wait_for_handshakes(supervise: Supervise, half_in: HalfIn) -> None:
    supervisor = await supervise(listener(), grace_seconds=PATIENCE)
    half_in(supervisor)
    stopping = asyncio.create_task(supervisor.stop())
    await until(lambda: waits(supervisor))
    await supervisor.stop(abort=True)
    await stopping


async def test_address_can_be_used_again_while_its_clients_are_in_handshake(
    supervise: Supervise, half_in: HalfIn
) -> None:
    old, new = (listener(str(number), address=f"127.0.0.1:{free_port()}") for number in (1, 2))
    supervisor = await supervise(old, workers=2)
    clients = half_in(supervisor)
    for wanted in (new, old, new, old):
        await supervisor.update(config(wanted))
    assert not {sock for key, sockets in supervisor._sockets.closing.items() for sock in sockets if key in old}
    assert await supervisor.answers() == {b"1"}
    assert await ask(clients) == {b"1"}


async def test_address_with_clients_in_handshake_can_be_used_by_a_refusing_listener(
    supervise: Supervise, half_in: HalfIn
) -> None:
    address = f"127.0.0.1:{free_port()}"
    supervisor = await supervise(listener(address=address), workers=2)
    clients = half_in(supervisor)
    await supervisor.update(config())
    await supervisor.update(config(listener(name="other", address=address) + REFUSING))
    assert await ask(clients) == {b"one"}
    await until(lambda: not waits(supervisor))
    assert refused(supervisor.port("other"))
    await supervisor.update(config(listener("open", name="other", address=address)))
    assert await supervisor.answers("other") == {b"open"}


async def test_restart_of_workers_loses_no_half_open_client(supervise: Supervise, half_in: HalfIn) -> None:
    supervisor = await supervise(listener(address=f"127.0.0.1:{free_port()}"), workers=2)
    clients = half_in(supervisor)
    await supervisor.update(config(listener("two", address=f"127.0.0.1:{free_port()}")))
    restart = asyncio.create_task(finished(supervisor.operations.restart_workers(0.0, PATIENCE)))
    await until(lambda: any(worker.planned_restarts for worker in supervisor.status().workers))
    assert await ask(clients) == {b"two"}
    await restart
    assert not waits(supervisor)
    assert await supervisor.answers() == {b"two"}


async def finished(steps: AsyncIterator[object]) -> None:
    async for _ in steps:
        pass


async def test_handshake_that_never_ends_keeps_its_address_for_a_limited_time(
    supervise: Supervise, half_in: HalfIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_closer, "HANDSHAKE_SECONDS", 0.2)
    supervisor = await supervise(listener(), workers=2)
    port = supervisor.port()
    half_in(supervisor)
    await supervisor.update(config())
    await until(lambda: not waits(supervisor))
    assert refused(port)


async def test_address_without_handshakes_is_free_after_the_change(supervise: Supervise) -> None:
    supervisor = await supervise(listener(), workers=2)
    port = supervisor.port()
    await supervisor.update(config())
    assert not supervisor._sockets.keys
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


async def test_close_without_handshake_information_waits_a_moment(
    supervise: Supervise, half_in: HalfIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_closer, "in_progress", lambda _: None)
    monkeypatch.setattr(address_closer, "UNKNOWN_SECONDS", 5.0)
    supervisor = await supervise(listener(), workers=2)
    clients = half_in(supervisor)
    await supervisor.update(config())
    assert await ask(clients) == {b"one"}
    assert waits(supervisor)
    monkeypatch.setattr(address_closer, "UNKNOWN_SECONDS", 0.0)
    await until(lambda: not waits(supervisor))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Times of the readings of handshakes; the first one misses them, as if their SYNs were still being handled."""
    times: list[float] = []

    def read(sock: socket.socket) -> int | None:
        times.append(monotonic())
        return 0 if len(times) == 1 else in_progress(sock)

    monkeypatch.setattr(address_closer, "in_progress", read)
    return times


async def test_handshake_that_the_first_reading_misses_is_waited_for(
    supervise: Supervise, half_in: HalfIn, readings: list[float]
) -> None:
    supervisor = await supervise(listener(), workers=2)
    clients = half_in(supervisor)
    await supervisor.update(config())
    assert waits(supervisor)
    assert readings[1] - readings[0] > address_closer.SYN_SECONDS / 2
    assert await ask(clients) == {b"one"}
    await until(lambda: not waits(supervisor))


async def test_handshake_that_the_first_reading_of_a_shutdown_misses_is_waited_for(
    supervise: Supervise, half_in: HalfIn, readings: list[float]
) -> None:
    supervisor = await supervise(listener(), workers=2, grace_seconds=PATIENCE)
    clients = half_in(supervisor)
    stopping = asyncio.create_task(supervisor.stop())
    await until(lambda: len(readings) >= 2)
    assert await ask(clients) == {b"one"}
    await stopping


async def test_addresses_of_one_change_are_read_twice_with_one_pause(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def none(sock: socket.socket) -> int:
        read.append(sock.getsockname()[1])
        return 0

    monkeypatch.setattr(address_closer, "in_progress", none)
    supervisor = await supervise(listener() + listener("two", name="other"))
    ports = [supervisor.port(), supervisor.port("other")]
    await supervisor.update(config())
    assert sorted(read[:2]) == sorted(read[2:]) == sorted(ports)
    assert not waits(supervisor)


def test_handshakes_of_a_closed_socket_are_not_known() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
    assert in_progress(sock) is None


async def test_change_that_cannot_be_stored_leaves_all_addresses_unchanged(
    supervise: Supervise, half_in: HalfIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(listener(address=f"127.0.0.1:{free_port()}"), workers=2)

    async def full(*_: object, **__: object) -> None:
        raise StoreFailed("disk full")

    for wanted in (
        config(),
        config(listener("two", address=f"127.0.0.1:{free_port()}")),
        config(listener() + REFUSING),
    ):
        with monkeypatch.context() as broken:
            broken.setattr(supervisor._store, "append", full)
            with pytest.raises(ChangeFailed, match="disk full"):
                await supervisor.update(wanted)
        clients = half_in(supervisor)
        assert await ask(clients) == {b"one"}
    assert not waits(supervisor)


async def test_close_without_syn_filter_leaves_the_address_at_once(
    supervise: Supervise, half_in: HalfIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel that does not have the option."""
    supervisor = await supervise(listener(), workers=2)
    monkeypatch.setattr("answerback.net.syn_filter.OPTIONS", {})
    port = supervisor.port()
    half_in(supervisor)
    await supervisor.update(config())
    assert not waits(supervisor)
    assert refused(port)
