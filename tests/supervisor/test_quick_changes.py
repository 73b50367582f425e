"""Changes that are tried, rejected or aborted leave nothing behind. More in test_two_phase.py."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from answerback.supervisor import ChangeFailed
from answerback.supervisor.errors import EtagMismatch, StoreFailed
from tests.ports import free_port
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Edited, Supervised, config, faulty, listener, until
from tests.supervisor.talking import lines, talking

Refusal = tuple[type[Exception], str]


def bindable(port: int, *, used: bool = False) -> bool:
    """Whether the port is free: neither the supervisor nor a worker has a copy of its socket.

    `used`: there were connections, and some may be in TIME_WAIT; a socket that is bound and does not listen is missed.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, used)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def sockets_of(pid: int) -> set[str]:
    """The sockets that a process has open."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return {each for each in found if each.startswith("socket:")}


# ── Dry runs ────────────────────────────────────────────────────────────────────────────────────────────────────────
TRIES: dict[str, Callable[[Supervised, str], Awaitable[Any]]] = {
    "update": lambda on, etag: on.update(config(listener("new")), etag=etag, validate_only=True),
    "edit": lambda on, etag: on.edit(Edited(lambda _: config(listener("new"))), etag=etag, validate_only=True),
    "rollback": lambda on, etag: on.rollback(1, etag=etag, validate_only=True),
    "the same again": lambda on, etag: on.update(on.current.config, etag=etag, validate_only=True),
}


async def test_dry_run_checks_the_etag_and_changes_nothing(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    stale = supervisor.current.etag
    await supervisor.update(config(lines(answer="two")))
    current, record = supervisor.current, supervisor.status()
    for name, attempt in TRIES.items():
        with pytest.raises(EtagMismatch) as mismatch:
            await attempt(supervisor, stale)
        assert current.etag in str(vars(mismatch.value).values()) or current.etag in str(mismatch.value), name
        for right in (current.etag, ""):
            change = await attempt(supervisor, right)
            assert (change.changed, change.workers) == (False, 1), name
    assert supervisor.current is current
    after = supervisor.status()
    assert (after.applied, after.rejected, after.last_rejected) == (
        record.applied,
        record.rejected,
        record.last_rejected,
    )


async def test_change_with_stale_etag_changes_nothing_and_is_not_counted_as_rejected(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    stale = supervisor.current.etag
    await supervisor.update(config(lines(answer="two")))
    with pytest.raises(EtagMismatch):
        await supervisor.update(config(lines(answer="three")), etag=stale)
    assert (supervisor.status().rejected, supervisor.status().last_rejected) == (0, None)
    (client,) = await talking(supervisor, 1)
    assert await client.ask() == b"two"
    await client.close()


# ── Aborted changes ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_change_rejected_by_a_worker_frees_its_new_port(supervise: Supervise) -> None:
    supervisor = await supervise(listener("old"), workers=2, worker_command=faulty("before prepared", "refuse", slot=1))
    before = [sockets_of(pid) for pid in supervisor.pids()]
    port = free_port()
    with pytest.raises(Exception, match="this worker refuses"):
        await supervisor.update(config(listener("new"), listener("added", name="added", address=f"127.0.0.1:{port}")))
    # The worker that was prepared gets ABORT, and closes its copy then.
    await until(lambda: bindable(port))
    await until(lambda: [sockets_of(pid) for pid in supervisor.pids()] == before)
    assert list(supervisor._sockets.keys) == ["127.0.0.1:0#hello"]
    assert await supervisor.answers() == {b"old"}


async def test_change_with_a_port_in_use_frees_its_other_ports(supervise: Supervise) -> None:
    supervisor = await supervise(listener("old"), workers=2)
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        others = [listener(name="a", address=f"127.0.0.1:{free}")]
        others.append(listener(name="b", address=f"127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(Exception, match="the port is in use"):
            await supervisor.update(config(listener("new"), *others))
    assert bindable(free)
    assert await supervisor.answers() == {b"old"}


async def test_change_that_cannot_be_stored_leaves_nothing_bound(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(listener("old"), workers=2)
    port = free_port()

    async def full(*_: object, **__: object) -> None:
        raise StoreFailed("disk full")

    monkeypatch.setattr(supervisor._store, "append", full)
    before = supervisor.current
    with pytest.raises(ChangeFailed, match="disk full"):
        await supervisor.update(config(listener("new"), listener(name="b", address=f"127.0.0.1:{port}")))
    await until(lambda: bindable(port))
    assert supervisor.current is before
    assert await supervisor.answers() == {b"old"}


async def test_removed_listener_frees_its_address_and_closes_its_connections_in_order(supervise: Supervise) -> None:
    port = free_port()
    supervisor = await supervise(lines(), lines("other").replace("127.0.0.1:0", f"127.0.0.1:{port}"), workers=2)
    (client,) = await talking(supervisor, 1, "other")
    ending = asyncio.ensure_future(client.end())
    await supervisor.update(config(lines()))
    assert (await ending)[0] == b""
    await until(lambda: bindable(port, used=True))


@pytest.mark.parametrize("moment, fault", [("before prepared", "die"), ("before commit", "die")])
async def test_worker_death_during_a_change_leaves_all_workers_old_or_all_new(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch, moment: str, fault: str
) -> None:
    supervisor = await supervise(listener("old"), workers=2, worker_command=faulty(moment, fault, slot=1))
    monkeypatch.setattr(supervisor._pool, "_options", Supervised(supervisor.path, workers=2).options)
    new = config(listener("new"), listener("added", name="added"))
    expected, revision = (b"old", 1) if moment == "before prepared" else (b"new", 2)
    if moment == "before prepared":
        with pytest.raises(ChangeFailed, match="worker 1 was killed by SIGKILL; nothing has changed"):
            await supervisor.update(new)
    else:
        change = await supervisor.update(new)
        assert change.workers in (1, 2)
    await until(lambda: [worker.revision for worker in supervisor.status().workers] == [revision] * 2)
    assert await supervisor.answers() == {expected}
    assert supervisor.current.number == revision
    assert len(list(supervisor._sockets.keys)) == revision


async def test_engine_change_keeps_open_connections(supervise: Supervise) -> None:
    supervisor = await supervise(lines(more="engine: CALLBACK"))
    (first,) = await talking(supervisor, 1)
    await supervisor.update(config(lines(more="engine: COROUTINE")))
    assert supervisor.status().listeners[0].engine.value == "coroutine"
    (second,) = await talking(supervisor, 1)
    for client in (first, second):
        assert await client.ask() == b"one"
        await client.close()
