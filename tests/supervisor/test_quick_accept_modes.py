"""Each accept mode on real workers: replies and counters. See also tests/system/test_accept.py."""

import asyncio
import socket

import pytest

from answerback.core.actions import CloseReason
from answerback.supervisor import ChangeFailed
from answerback.supervisor.errors import StoreFailed
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, config, reset, until
from tests.supervisor.talking import Client, lines, talking

MODES = ("NORMAL", "REFUSE", "STALL", "CLOSE", "RESET", "HOLD")
# A client that expects no answer gives up after the shorter time; any other client waits longer.
PATIENCE = {"STALL": 0.3, "HOLD": 0.3}
PATIENTLY = 20.0
ENGINES = ("CALLBACK", "COROUTINE")


def served(mode: str = "NORMAL", engine: str = "CALLBACK") -> str:
    return lines(more=f"accept: {mode}") + f"  engine: {engine}\n"


def meet(port: int, patience: float) -> str:
    """What becomes of one client that connects, says a line, and waits for what comes back."""
    with socket.socket() as client:
        client.settimeout(patience)
        try:
            client.connect(("127.0.0.1", port))
        except ConnectionRefusedError:
            return "REFUSE"
        except TimeoutError:
            return "STALL"
        except ConnectionResetError:
            return "RESET"
        try:
            client.sendall(b"hi\n")
            heard = client.recv(16)
        except ConnectionError:
            return "RESET"
        except TimeoutError:
            return "HOLD"
        return {b"one\n": "NORMAL", b"": "CLOSE"}[heard]


async def all_meet(supervisor: Supervised, mode: str, count: int = 6) -> None:
    port, patience = supervisor.port(), PATIENCE.get(mode, PATIENTLY)
    fates = await asyncio.gather(*(asyncio.to_thread(meet, port, patience) for _ in range(count)))
    assert set(fates) == {mode}


@pytest.mark.parametrize("engine", ENGINES)
async def test_accept_mode_switches_in_any_order(supervise: Supervise, engine: str) -> None:
    supervisor = await supervise(served(engine=engine), workers=2)
    (witness,) = await talking(supervisor, 1)
    ways = ["REFUSE", "STALL", "NORMAL", "STALL", "REFUSE", "CLOSE", "STALL", "RESET", "REFUSE", "HOLD", "NORMAL"]
    for mode in ways:
        await supervisor.update(config(served(mode, engine)))
        await all_meet(supervisor, mode)
        assert await witness.ask() == b"one", "who is connected is served on"
    await witness.close()
    await until(lambda: supervisor.balance()[2] == 0)
    accepted, closed, _ = supervisor.balance()
    assert accepted == closed
    assert supervisor.closed(CloseReason.SERVER_CLOSE) == supervisor.closed(CloseReason.SERVER_RESET) == 6


@pytest.mark.parametrize("mode", MODES[1:])
async def test_accept_mode_at_start_is_inherited_by_a_successor(supervise: Supervise, mode: str) -> None:
    supervisor = await supervise(served(mode))
    await all_meet(supervisor, mode, 3)
    await supervisor.until_replaced(0, supervisor.kill(0))
    await all_meet(supervisor, mode, 3)
    await supervisor.update(config(served()))
    await all_meet(supervisor, "NORMAL", 3)


@pytest.mark.parametrize("engine", ENGINES)
async def test_held_connections_are_answered_once_accept_is_normal(supervise: Supervise, engine: str) -> None:
    supervisor = await supervise(served("HOLD", engine))
    clients = [await Client.connect(supervisor) for _ in range(3)]
    answers = [asyncio.ensure_future(client.ask()) for client in clients]
    await until(lambda: supervisor.balance() == (3, 0, 3))
    for mode in ("STALL", "CLOSE", "RESET", "REFUSE", "HOLD"):
        await supervisor.update(config(served(mode, engine)))
    assert not any(answer.done() for answer in answers)
    assert supervisor.status().listeners[0].counts.requests == 0
    await supervisor.update(config(served("NORMAL", engine)))
    assert await asyncio.gather(*answers) == [b"one"] * 3
    for client in clients:
        await client.close()


async def test_held_connection_reset_by_its_client_is_counted_as_given_up(supervise: Supervise) -> None:
    supervisor = await supervise(served("HOLD"))
    client = socket.create_connection(("127.0.0.1", supervisor.port()))
    await until(lambda: supervisor.balance() == (1, 0, 1))
    reset(client)
    await until(lambda: supervisor.balance() == (1, 1, 0))
    assert [reason for reason in CloseReason if supervisor.closed(reason)] == [CloseReason.PEER_GAVE_UP]


async def test_stalled_clients_are_served_at_its_end_and_fillers_are_not_counted(supervise: Supervise) -> None:
    supervisor = await supervise(served("STALL"), workers=2)
    waiting = [asyncio.ensure_future(Client.connect(supervisor)) for _ in range(4)]
    await all_meet(supervisor, "STALL", 2)
    assert not any(each.done() for each in waiting)
    assert supervisor.balance() == (0, 0, 0)
    await supervisor.update(config(served()))
    for client in await asyncio.gather(*waiting):
        assert await client.ask() == b"one"
        await client.close()
    await until(lambda: supervisor.balance()[2] == 0)
    assert supervisor.balance()[0] in (4, 6), "those that gave up may have queued meanwhile"
    assert supervisor.status().listeners[0].counts.requests == 4


async def test_failed_change_leaves_the_accept_mode(supervise: Supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = await supervise(served(), workers=2)

    async def full(*_: object, **__: object) -> None:
        raise StoreFailed("disk full")

    for mode in ("REFUSE", "STALL"):
        with monkeypatch.context() as patched:
            patched.setattr(supervisor._store, "append", full)
            with pytest.raises(ChangeFailed, match="disk full"):
                await supervisor.update(config(served(mode)))
        await all_meet(supervisor, "NORMAL")
        assert not supervisor._sockets.fillers()
        await supervisor.update(config(served(mode)))
        with monkeypatch.context() as patched:
            patched.setattr(supervisor._store, "append", full)
            with pytest.raises(ChangeFailed, match="disk full"):
                await supervisor.update(config(served()))
        await all_meet(supervisor, mode)
        await supervisor.update(config(served()))


@pytest.mark.parametrize("mode", ["REFUSE", "STALL"])
async def test_port_stays_bound_while_accept_is_refuse_or_stall(supervise: Supervise, mode: str) -> None:
    supervisor = await supervise(served(mode))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", supervisor.port()))
