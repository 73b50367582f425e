"""Starts of the supervisor with real workers, and starts that fail."""

import re
import socket
from pathlib import Path

import pytest

from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor import StartError, State, StoreFull, Supervisor
from answerback.supervisor.options import Options
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, alive, config, faulty, listener, text, until


async def test_start_serves_the_configuration_file_on_every_worker(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=2)
    assert await supervisor.answers() == {b"one"}
    status = supervisor.status()
    assert (status.state, status.reason, status.revision) == (State.SERVING, "", 1)
    assert status.etag == f"{supervisor.instance}-1"
    assert re.fullmatch("[0-9a-f]{12}", supervisor.instance)
    assert [(worker.index, worker.running, worker.revision, worker.restarts) for worker in status.workers] == [
        (0, True, 1, 0),
        (1, True, 1, 0),
    ]
    assert all(alive(worker.pid) and 0 < worker.start_seconds < 10 for worker in status.workers)
    assert status.last_applied is not None
    assert (status.last_applied.origin, status.last_rejected) == ("file", None)
    assert status.listeners[0].counts.requests == 24


async def test_health_of_serving_server_is_all_true(supervise: Supervise) -> None:
    supervisor = await supervise(listener(name="a"), listener(name="b"))
    assert supervisor.health.statuses == dict.fromkeys(["", "readiness", "liveness", "listener/a", "listener/b"], True)


async def test_start_without_listeners_serves(supervise: Supervise) -> None:
    supervisor = await supervise(" []")
    assert supervisor.status().state == State.SERVING
    await supervisor.update(config(listener("one")))
    assert await supervisor.answers() == {b"one"}


async def test_start_with_port_in_use_reports_the_listener_with_its_line(supervise: Supervise) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InvalidConfig) as raised:
            await supervise(listener(name="free"), listener(name="taken", address=address))
    message = f"{address}: the port is in use; `ss -ltnp` shows the process"
    assert raised.value.problems == (Problem("listeners[1].address", message, 8, 12),)


async def test_start_with_missing_file_fails() -> None:
    with pytest.raises(InvalidConfig, match=r"cannot read /nowhere/answerback.yaml: No such file or directory"):
        await Supervisor(Options(config_path=Path("/nowhere/answerback.yaml"))).start()


async def test_start_with_invalid_file_reports_every_problem(supervise: Supervise) -> None:
    with pytest.raises(InvalidConfig) as raised:
        await supervise(listener(name="a"), listener(name="a", address="nowhere:1"))
    assert [problem.path for problem in raised.value.problems] == ["listeners[1].name", "listeners[1].address"]
    assert [problem.line for problem in raised.value.problems] == [7, 8]


async def test_start_with_worker_command_that_cannot_run_fails(supervise: Supervise) -> None:
    with pytest.raises(StartError, match=r"cannot start a worker \(/no/python\): .*No such file"):
        await supervise(worker_command=("/no/python",))


@pytest.mark.parametrize(
    "moment, fault, message",
    [
        ("start", "die", "cannot start: worker 0 was killed by SIGKILL; see the log lines of that worker"),
        ("start", "raise", "cannot start: worker 0 exited with status 1; see the log lines of that worker"),
        ("before prepared", "die", "cannot start: worker 0 was killed by SIGKILL; see the log lines of the workers"),
    ],
)
async def test_start_fails_with_one_sentence_if_a_worker_ends_before_it_serves(
    supervise: Supervise, moment: str, fault: str, message: str
) -> None:
    with pytest.raises(StartError) as raised:
        await supervise(worker_command=faulty(moment, fault, revision=1))
    assert str(raised.value) == message


async def test_start_whose_revision_cannot_be_recorded_fails_with_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener()))
    supervisor = Supervised(path)

    async def full(*_given: object, **_named: object) -> None:
        raise StoreFull("no space left")

    supervisor._store.append = full  # type: ignore[method-assign]
    with pytest.raises(StartError) as raised:
        await supervisor.start()
    assert str(raised.value) == "cannot start: the revision cannot be recorded: no space left"
    assert supervisor.pids() == [0]
    (slot,) = supervisor._pool.slots
    assert slot.process is not None
    assert slot.process.exit_reason == "worker 0 was killed: the server did not start"


@pytest.mark.parametrize(
    "moment, fault, error", [("before prepared", "refuse", InvalidConfig), ("before commit", "die", None)]
)
async def test_failed_start_leaves_no_process_or_socket(
    tmp_path: Path, moment: str, fault: str, error: type[Exception] | None
) -> None:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener()))
    command = faulty(moment, fault, revision=1, slot=1)
    supervisor = Supervised(path, workers=2, worker_command=command)
    if error is None:  # after the decision there is no way back: the slot is without a worker, and gets one
        await supervisor.start()
        await until(lambda: supervisor.status().workers[1].restarts)
        await supervisor.stop(abort=True)
    else:
        with pytest.raises(error, match="this worker refuses"):
            await supervisor.start()
    assert supervisor.pids() == [0, 0]
