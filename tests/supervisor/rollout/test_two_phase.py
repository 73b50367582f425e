"""One worker fails at each step of a change: all workers are old or all are new, and serving continues."""

import resource

import pytest

from answerback.language.problems import InvalidConfig
from answerback.supervisor import ChangeFailed
from answerback.supervisor.errors import StoreFailed
from answerback.supervisor.sockets import backlog_filler
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Asking, Supervised, config, faulty, listener, refused, until

pytestmark = pytest.mark.long

OLD, NEW = listener("old"), listener("new")
STALLED = listener("old") + "  accept: STALL\n"
ADDED = listener("added", name="added")


async def agreed(supervisor: Supervised, answer: bytes, revision: int) -> None:
    """Every worker, the successor too, serves this revision and gives this answer."""
    await until(lambda: [worker.revision for worker in supervisor.status().workers] == [revision] * 2)
    assert await supervisor.answers() == {answer}
    assert supervisor.current.number == revision


async def served(clients: Asking, *answers: bytes) -> None:
    """No client got another reply; a worker that died had one connection open at most, for each client."""
    await clients.stop()
    assert set(clients.answers) <= {*answers, b""}
    assert clients.failures <= len(clients.threads)


@pytest.mark.parametrize(
    "moment, fault, said",
    [
        ("before prepared", "refuse", "listeners.0.: this worker refuses"),
        ("before prepared", "die", "worker 1 was killed by SIGKILL; nothing has changed"),
        (
            "before prepared",
            "hang",
            "worker 1 was killed: it sent no heartbeat and made no progress for 2 s; nothing has changed",
        ),
        ("before prepared", "stall", "worker 1 was killed: it did not answer prepare within 4 s; nothing has changed"),
        ("before prepared", "raise", "worker 1 exited with status 1; nothing has changed"),
    ],
)
async def test_worker_failure_before_the_decision_changes_nothing(
    supervise: Supervise, moment: str, fault: str, said: str
) -> None:
    supervisor = await supervise(OLD, workers=2, worker_command=faulty(moment, fault, slot=1))
    clients = Asking(supervisor.port())
    await clients.more()
    with pytest.raises(InvalidConfig if fault == "refuse" else ChangeFailed, match=said):
        await supervisor.update(config(NEW, ADDED))
    assert supervisor.status().last_rejected is not None
    await agreed(supervisor, b"old", 1)
    await served(clients, b"old")
    assert supervisor.status().workers[1].restarts == (fault != "refuse")


@pytest.mark.parametrize(
    "moment, fault",
    [
        ("after prepared", "die"),
        ("after prepared", "hang"),
        ("before commit", "die"),
        ("before commit", "hang"),
        ("before committed", "die"),
        ("after committed", "die"),
        ("after committed", "hang"),
    ],
)
async def test_worker_failure_after_the_decision_is_repaired_by_a_new_worker(
    supervise: Supervise, moment: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(OLD, workers=2, worker_command=faulty(moment, fault, slot=1))
    clients = Asking(supervisor.port())
    await clients.more()
    monkeypatch.setattr(supervisor._pool, "_options", Supervised(supervisor.path, workers=2).options)
    change = None
    try:
        change = await supervisor.update(config(NEW, ADDED))
    except ChangeFailed:
        assert moment == "after prepared", "whoever dies between his answer and the decision may have been noticed"
    if change is None:
        await agreed(supervisor, b"old", 1)
    else:
        assert change.workers in (1, 2)
        await agreed(supervisor, b"new", 2)
        assert await supervisor.answers("added") == {b"added"}
    await served(clients, b"old", b"new")


async def test_ports_bound_by_a_rejected_change_are_released(supervise: Supervise) -> None:
    supervisor = await supervise(OLD, workers=2, worker_command=faulty("before prepared", "refuse", slot=1))
    with pytest.raises(InvalidConfig):
        await supervisor.update(config(NEW, ADDED))
    keys = list(supervisor._sockets.keys)
    assert len(keys) == 1
    assert not refused(supervisor.port())


async def test_worker_without_free_descriptors_rejects_the_change_and_keeps_serving(supervise: Supervise) -> None:
    supervisor = await supervise(OLD, workers=2)
    pid = supervisor.pids()[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (18, 18))
    many = [listener(str(number), name=f"added-{number}") for number in range(20)]
    with pytest.raises(
        ChangeFailed,
        match=r"worker 1: no descriptors are free for \d+ of 20 sockets and files \(RLIMIT_NOFILE 18\); nothing",
    ):
        await supervisor.update(config(NEW, *many))
    await agreed(supervisor, b"old", 1)
    supervisor.kill(1)
    await supervisor.until_replaced(1, pid)
    await supervisor.update(config(NEW, *many))
    await agreed(supervisor, b"new", 2)
    assert await supervisor.answers("added-19") == {b"19"}


async def test_stall_whose_queues_cannot_be_filled_changes_nothing(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(OLD, workers=2)
    monkeypatch.setattr(backlog_filler, "TRIES_PER_SOCKET", 0)
    with pytest.raises(ChangeFailed, match=r"^127.0.0.1:\d+ cannot be stalled: .*; nothing has changed$"):
        await supervisor.update(config(STALLED))
    await agreed(supervisor, b"old", 1)


async def test_stall_that_cannot_be_stored_is_undone_and_not_counted(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(OLD, workers=2)

    async def full(*_: object, **__: object) -> None:
        raise StoreFailed("disk full")

    monkeypatch.setattr(supervisor._store, "append", full)
    with pytest.raises(ChangeFailed, match="disk full"):
        await supervisor.update(config(STALLED))
    assert await supervisor.answers(count=24) == {b"old"}
    await until(lambda: supervisor.balance() == (24, 24, 0))
    assert not supervisor._sockets.fillers()
