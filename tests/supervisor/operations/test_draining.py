"""Drains: new connections are refused, open ones end in order, and no reply is lost."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from answerback.core.actions import CloseReason
from answerback.language.editing import NoSuchListener
from answerback.supervisor import ChangeFailed, DrainProgress, DrainState, State, Stopping
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, ask, config, listener, refused, until

pytestmark = pytest.mark.long

LINES = """
- name: {name}
  address: 127.0.0.1:0
  framing: line
  rules:
  - {{when: stuck, do: [{{send: "begun "}}, {{delay: 1h}}]}}
  - {{when: slow, do: [{{send: "begun "}}, {{delay: 300ms}}, {{send: "done\\n"}}]}}
  - do: [{{send: "one\\n"}}]
"""
HELLO, OTHER = LINES.format(name="hello"), LINES.format(name="other")
AGES = 600.0  # seconds: past the end of any test


async def until_refused(port: int) -> None:
    """In a thread: until it is refused, a listener that is being shut may not answer at all."""
    while not await asyncio.to_thread(refused, port):
        pass


async def drain(supervisor: Supervised, name: str = "", over: float = 0.0) -> list[DrainProgress]:
    return [progress async for progress in supervisor.operations.drain(name, over)]


def begun(supervisor: Supervised, name: str = "", over: float = AGES) -> "asyncio.Task[list[DrainProgress]]":
    return asyncio.ensure_future(drain(supervisor, name, over))


def connect(supervisor: Supervised, name: str = "hello", say: bytes = b"hi\n") -> socket.socket:
    """A connection that has had its first answer."""
    client = socket.create_connection(("127.0.0.1", supervisor.port(name)), timeout=20)
    client.sendall(say)
    assert client.recv(100) == (b"one\n" if say == b"hi\n" else b"begun ")
    return client


@pytest.fixture
def clients() -> Iterator[Callable[..., list[socket.socket]]]:
    """Open this number of connections; they are closed after the test."""
    with ExitStack() as stack:

        def some(supervisor: Supervised, count: int, **how: bytes) -> list[socket.socket]:
            return [stack.enter_context(connect(supervisor, **how)) for _ in range(count)]  # type: ignore[arg-type]

        yield some


Clients = Callable[..., list[socket.socket]]


async def test_drain_without_time_closes_all_at_once(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO, workers=2)
    open_ = clients(supervisor, 20)
    port = supervisor.port()
    progress = await drain(supervisor)
    assert progress[0] == DrainProgress(DrainState.DRAINING, 0, 0)
    assert progress[-1] == DrainProgress(DrainState.DRAINED, 0, 20)
    assert refused(port)
    assert {client.recv(10) for client in open_} == {b""}
    assert supervisor.closed(CloseReason.DRAIN) == 20
    status = supervisor.status()
    assert (status.state, status.reason) == (State.DRAINING, "draining")
    assert status.listeners[0].drain is DrainState.DRAINED


async def test_health_follows_drain_and_resume_at_once(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, OTHER)
    states = [dict(supervisor.health.statuses)]
    draining = supervisor.operations.drain()
    await anext(draining)
    states.append(dict(supervisor.health.statuses))
    assert [progress.state async for progress in draining][-1] is DrainState.DRAINED
    await supervisor.operations.resume()
    states.append(dict(supervisor.health.statuses))
    assert [state["readiness"] for state in states] == [True, False, True]
    assert [state["listener/hello"] for state in states] == [True, False, True]
    assert [state["liveness"] for state in states] == [True, True, True]


async def test_drain_of_one_listener_leaves_the_other_serving(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO, OTHER)
    (client,) = clients(supervisor, 1)
    with connect(supervisor, "other") as other:
        await drain(supervisor, "hello")
        assert client.recv(10) == b""
        other.sendall(b"hi\n")
        assert other.recv(10) == b"one\n"
    assert refused(supervisor.port())
    assert not refused(supervisor.port("other"))
    status = supervisor.status()
    assert (status.state, [each.drain for each in status.listeners]) == (State.SERVING, [DrainState.DRAINED, None])
    assert supervisor.health.statuses["readiness"]
    assert not supervisor.health.statuses["listener/hello"]
    assert supervisor.health.reason_for("listener/hello") == "draining"
    await drain(supervisor, "other")
    assert supervisor.status().state is State.DRAINING, "there is nothing left that is fit for traffic"


async def test_drain_closes_connections_evenly_over_its_duration(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO, workers=2)
    clients(supervisor, 40)
    began = monotonic()
    seen = [(monotonic() - began, progress) async for progress in supervisor.operations.drain("", 2.0)]
    assert seen[-1][1] == DrainProgress(DrainState.DRAINED, 0, 40)
    assert seen[-1][0] >= 2.0
    for elapsed, progress in seen:
        # Each worker closes its i-th of n at i/n of the time; the counters may be a moment old, never ahead.
        assert progress.closed <= 40 * elapsed / 2.0 + 2
    assert len({progress.closed for _, progress in seen}) >= 4, "not all of them at once"


async def test_drain_finishes_replies_in_progress(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO)
    (slow,) = clients(supervisor, 1, say=b"slow\n")
    await drain(supervisor)
    assert slow.recv(100) == b"done\n"
    assert slow.recv(100) == b""


async def test_resumed_listener_listens_on_its_former_port(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, OTHER, workers=2)
    ports = [supervisor.port(name) for name in ("hello", "other")]
    await drain(supervisor)
    assert await supervisor.operations.resume("other") == ["other"]
    assert [refused(port) for port in ports] == [True, False]
    assert await supervisor.operations.resume() == ["hello"]
    assert ports == [supervisor.port(name) for name in ("hello", "other")]
    for name in ("hello", "other"):
        connect(supervisor, name).close()
    assert supervisor.status().state is State.SERVING
    assert await supervisor.operations.resume() == []


async def test_resume_during_a_drain_keeps_connections_not_yet_told(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO)
    port = supervisor.port()
    (client,) = clients(supervisor, 1)
    draining = begun(supervisor)
    await until_refused(port)
    await supervisor.operations.resume()
    assert (await draining)[-1].state is DrainState.RESUMED
    client.sendall(b"hi\n")
    assert client.recv(10) == b"one\n"
    connect(supervisor).close()


async def test_second_drain_without_duration_ends_the_first(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO)
    port = supervisor.port()
    clients(supervisor, 5)
    slowly = begun(supervisor)
    await until_refused(port)
    assert (await drain(supervisor))[-1].state is DrainState.DRAINED
    assert (await slowly)[-1].state is DrainState.DRAINED


async def test_drain_delay_keeps_accepting_and_resume_ends_it(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, drain_delay_seconds=AGES)
    draining = begun(supervisor)
    await until(lambda: not supervisor.health.serving)
    connect(supervisor).close()
    await supervisor.operations.resume()
    assert (await draining)[-1].state is DrainState.RESUMED
    assert supervisor.health.serving


async def test_drain_continues_after_its_caller_leaves(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO)
    clients(supervisor, 3)
    draining = supervisor.operations.drain("", 0.2)
    await anext(draining)
    await draining.aclose()  # type: ignore[attr-defined]
    await until(lambda: supervisor.balance() == (3, 3, 0))


async def test_clients_queued_before_a_drain_are_served(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=2)
    port = supervisor.port()
    answers: list[bytes] = []
    lost: list[OSError] = []

    def keep_asking() -> None:
        while True:
            try:
                answers.append(ask(port))
            except ConnectionRefusedError:
                return
            except OSError as error:
                lost.append(error)
                return

    threads = [threading.Thread(target=keep_asking) for _ in range(8)]
    for thread in threads:
        thread.start()
    await until(lambda: len(answers) > 100)
    await drain(supervisor, over=0.5)
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert (set(answers), lost) == ({b"one"}, [])
    assert supervisor.balance() == (len(answers), len(answers), 0)
    assert supervisor.status().listeners[0].counts.requests == len(answers)


async def test_drained_unix_socket_is_hidden_until_resumed(supervise: Supervise, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    supervisor = await supervise(HELLO.replace("127.0.0.1:0", f"unix:{path}"), workers=2)

    def said() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(path))
            client.sendall(b"hi\n")
            return client.recv(10)

    assert await asyncio.to_thread(said) == b"one\n"
    assert (await drain(supervisor))[-1].state is DrainState.DRAINED
    with pytest.raises(FileNotFoundError):
        await asyncio.to_thread(said)
    await supervisor.until_replaced(0, supervisor.kill(0))
    await supervisor.operations.resume()
    assert {await asyncio.to_thread(said) for _ in range(8)} == {b"one\n"}
    await drain(supervisor)
    await supervisor.stop()
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("socket*"))), "nothing is left behind"


# ── What comes in between ───────────────────────────────────────────────────────────────────────────────────────────
async def test_worker_killed_during_a_drain_has_a_successor_that_stays_shut(
    supervise: Supervise, clients: Clients
) -> None:
    supervisor = await supervise(HELLO, workers=2)
    port = supervisor.port()
    clients(supervisor, 20)
    draining = begun(supervisor)
    await until_refused(port)
    for slot in range(2):
        await supervisor.until_replaced(slot, supervisor.kill(slot))
    last = (await draining)[-1]
    assert (last.state, last.open) == (DrainState.DRAINED, 0)
    assert refused(port)
    assert supervisor.closed(CloseReason.WORKER_CRASHED) == 20
    await supervisor.operations.resume()
    assert {len(client.recv(0)) for client in clients(supervisor, 8)} == {0}


async def test_update_during_a_drain_applies_and_keeps_the_listener_shut(
    supervise: Supervise, clients: Clients
) -> None:
    supervisor = await supervise(HELLO)
    (client,) = clients(supervisor, 1)
    draining = begun(supervisor)
    await until_refused(supervisor.port())
    await supervisor.update(config(HELLO.replace('"one', '"two'), OTHER))
    client.sendall(b"hi\n")
    assert client.recv(10) == b"two\n"
    assert [refused(supervisor.port(name)) for name in ("hello", "other")] == [True, True]
    assert supervisor.current.config.listeners[0].accept == 0, "what was asked for is not changed"
    await supervisor.operations.resume()
    assert (await draining)[-1].state is DrainState.RESUMED
    assert [refused(supervisor.port(name)) for name in ("hello", "other")] == [False, False]


async def test_drain_follows_a_listener_by_name_not_by_address(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, OTHER)
    await drain(supervisor, "hello")
    await supervisor.update(config(HELLO.replace("127.0.0.1:0", "127.0.0.2:0"), OTHER))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", supervisor.port()), timeout=5)
    await supervisor.update(config(LINES.format(name="renamed"), OTHER))
    connect(supervisor, "renamed").close()
    await supervisor.update(config(HELLO, OTHER))
    connect(supervisor).close()


async def test_drain_of_a_removed_listener_completes(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO, OTHER)
    clients(supervisor, 3)
    draining = begun(supervisor, "hello")
    await until(lambda: supervisor.status().listeners[0].drain)
    await supervisor.update(config(OTHER))
    assert (await draining)[-1].state is DrainState.DRAINED


async def test_drained_listener_stays_shut_after_a_restart_of_workers(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, workers=2)
    await drain(supervisor)
    async for _ in supervisor.operations.restart_workers(0.0):
        pass
    assert refused(supervisor.port())
    await supervisor.operations.resume()
    connect(supervisor).close()


async def test_stop_during_a_drain_ends_it_and_closes_in_order(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(HELLO, workers=2, grace_seconds=5.0)
    port = supervisor.port()
    open_ = clients(supervisor, 4)
    draining = begun(supervisor)
    await until_refused(port)
    await supervisor.stop()
    with pytest.raises(Stopping):
        await draining
    assert {client.recv(10) for client in open_} == {b""}, "at once, and in order"
    accepted, closed, left = supervisor.balance()
    assert (closed, left) == (accepted, 0)
    with pytest.raises(Stopping):
        await drain(supervisor)


async def test_drain_or_resume_that_fails_changes_nothing(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(HELLO)

    async def fails(*_: object) -> None:
        raise ChangeFailed("nothing has changed")

    with monkeypatch.context() as patched:
        patched.setattr(supervisor._rollout, "apply_drains", fails)
        with pytest.raises(ChangeFailed):
            await drain(supervisor)
    assert (supervisor.health.serving, supervisor.status().listeners[0].drain) == (True, None)
    connect(supervisor).close()
    await drain(supervisor)
    with monkeypatch.context() as patched:
        patched.setattr(supervisor._rollout, "apply_drains", fails)
        with pytest.raises(ChangeFailed):
            await supervisor.operations.resume()
    assert supervisor.status().listeners[0].drain is DrainState.DRAINED
    await supervisor.operations.resume()
    connect(supervisor).close()


async def test_drain_or_resume_of_unknown_listener_fails(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO)
    with pytest.raises(NoSuchListener):
        await drain(supervisor, "nobody")
    with pytest.raises(NoSuchListener):
        await supervisor.operations.resume("nobody")
