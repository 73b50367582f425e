"""The supervisor with real workers: changes and status."""

import asyncio
import socket
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from answerback.language.editing import NoSuchListener, created, deleted
from answerback.language.problems import InvalidConfig
from answerback.metrics.series import Series
from answerback.metrics.snapshot import read_open
from answerback.supervisor import ChangeFailed, EtagMismatch, Stopping, Supervisor
from answerback.supervisor.errors import Conflict
from answerback.supervisor.options import Options
from answerback.supervisor.revisions.store import Revision, RevisionsInMemory
from tests.ports import free_port
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Asking, Edited, alive, config, listener, refused, text, until
from tests.waiting import eventually


# ── Changing ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_update_is_active_on_every_worker_when_it_returns(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=2)
    change = await supervisor.update(config(listener("two")), comment="because")
    assert (change.changed, change.workers, change.revision.number) == (True, 2, 2)
    assert (change.revision.origin, change.revision.comment) == ("api", "because")
    assert change.revision is supervisor.current
    assert await supervisor.answers() == {b"two"}
    assert [worker.revision for worker in supervisor.status().workers] == [2, 2]


async def test_update_with_unchanged_address_keeps_the_port(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    port = supervisor.port()
    await supervisor.update(config(listener("two"), listener("three", name="new")))
    assert supervisor.port() == port
    assert await supervisor.answers("new") == {b"three"}


async def test_update_with_equal_configuration_makes_no_revision(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    change = await supervisor.update(config(listener("one")))
    assert (change.changed, change.workers, change.revision.number) == (False, 1, 1)


async def test_update_with_stale_etag_is_rejected(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    first = supervisor.current.etag
    second = (await supervisor.update(config(listener("two")), etag=first)).revision.etag
    with pytest.raises(EtagMismatch, match=second):
        await supervisor.update(config(listener("three")), etag=first)
    assert supervisor.current.number == 2


async def test_two_updates_with_one_etag_make_one_revision(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    etag = supervisor.current.etag
    updates = [supervisor.update(config(listener(word)), etag=etag) for word in ("two", "three")]
    outcomes = await asyncio.gather(*updates, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Change", "EtagMismatch"]


async def test_concurrent_edits_are_all_applied(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one", name="hello0"))
    names = [f"hello{number}" for number in range(8)]
    edits = [Edited(partial(created, listener=config(listener(name=name)).listeners[0])) for name in names[1:]]
    changes = await asyncio.gather(*map(supervisor.edit, edits))
    assert [change.revision.number for change in changes] == list(range(2, 9))
    assert [each.name for each in supervisor.current.config.listeners] == names
    assert await supervisor.answers("hello7") == {b"one"}


async def test_edit_with_stale_etag_is_rejected(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    with pytest.raises(EtagMismatch):
        await supervisor.edit(Edited(partial(deleted, name="nobody")), etag="x")
    with pytest.raises(NoSuchListener):
        await supervisor.edit(Edited(partial(deleted, name="nobody")))
    assert supervisor.status().last_rejected is None


async def test_supervisor_update_with_validate_only_changes_nothing(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    asked = config(listener("two"))
    change = await supervisor.update(asked, validate_only=True)
    assert (change.changed, change.revision.number, change.revision.config) == (False, 1, asked)
    with pytest.raises(InvalidConfig):
        await supervisor.update(config(listener(address="x:1")), validate_only=True)
    assert await supervisor.answers() == {b"one"}
    assert supervisor.status().last_rejected is None


async def test_validate_returns_every_problem(supervise: Supervise) -> None:
    supervisor = await supervise(reserved=(("the admin API", "127.0.0.1:50051"),))
    assert await supervisor.validate(config(listener("two"))) == []
    problems = await supervisor.validate(config(listener(name="_"), listener(address="127.0.0.1:50051")))
    assert [problem.path for problem in problems] == ["listeners[0].name", "listeners[1].address"]


async def test_rejected_update_is_kept_in_the_status_and_changes_nothing(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    with pytest.raises(InvalidConfig) as raised:
        await supervisor.update(config(listener("two", address="nowhere:1")), comment="an attempt")
    refusal = supervisor.status().last_rejected
    assert refusal is not None
    assert (refusal.origin, refusal.comment) == ("api", "an attempt")
    assert refusal.problems == raised.value.problems
    assert await supervisor.answers() == {b"one"}
    assert supervisor.current.number == 1


async def test_update_with_port_in_use_leaves_nothing_bound(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    address = f"127.0.0.1:{free_port()}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(InvalidConfig, match=r"listeners\[1\].address: .*the port is in use"):
            await supervisor.update(
                config(
                    listener("two", address=address),
                    listener(name="b", address=f"127.0.0.1:{taken.getsockname()[1]}"),
                )
            )
        with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
            pass
    assert await supervisor.answers() == {b"one"}


async def test_configuration_changed_by_its_owner_after_an_update_is_unaffected(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    given = config(listener("two"))
    await supervisor.update(given)
    given.listeners[0].name = "changed"
    assert supervisor.current.config == config(listener("two"))


async def test_update_in_progress_is_finished_after_its_caller_is_cancelled(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    call = asyncio.ensure_future(supervisor.update(config(listener("two"))))
    await asyncio.sleep(0)
    call.cancel()
    await until(lambda: [worker.revision for worker in supervisor.status().workers] == [2])
    assert await supervisor.answers() == {b"two"}
    assert (await supervisor.update(config(listener("three")))).changed


async def test_queued_update_is_dropped_if_its_caller_is_cancelled(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    first = asyncio.ensure_future(supervisor.update(config(listener("two"))))
    second = asyncio.ensure_future(supervisor.update(config(listener("three"))))
    await asyncio.sleep(0)
    second.cancel()
    await first
    with pytest.raises(asyncio.CancelledError):
        await second
    await supervisor.update(config(listener("two")))
    assert supervisor.current.number == 2


class FullStore(RevisionsInMemory):
    """Keeps one revision, and has room for no more."""

    async def append(self, revision: Revision, *, after: int) -> None:
        if after:
            raise Conflict("another one was faster")
        await super().append(revision, after=after)


async def test_update_that_cannot_be_recorded_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener("one")))
    supervisor = Supervisor(Options(config_path=path), store=FullStore("abc"))
    await supervisor.start()
    port = free_port()
    with pytest.raises(ChangeFailed, match="cannot be recorded: another one was faster; nothing has changed"):
        await supervisor.update(config(listener("two"), listener(name="new", address=f"127.0.0.1:{port}")))
    assert refused(port)
    assert supervisor.current.number == 1
    await supervisor.stop()


async def test_payload_files_are_read_beside_the_configuration(supervise: Supervise, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"from a file")
    supervisor = await supervise(listener("{file: page}"))
    assert await supervisor.answers() == {b"from a file"}


async def test_update_may_name_payload_files_of_the_active_configuration(supervise: Supervise, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"from a file")
    (tmp_path / "secret").write_bytes(b"hush")
    supervisor = await supervise(listener("{file: page}"))
    await supervisor.update(config(listener("{file: page}"), listener("two", name="second")))
    assert await supervisor.answers() == {b"from a file"}
    with pytest.raises(InvalidConfig, match="files cannot be read through the API"):
        await supervisor.update(config(listener("{file: secret}")))


async def test_payload_files_of_the_api_are_read_from_the_files_directory(supervise: Supervise, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "page").write_bytes(b"of the folder")
    supervisor = await supervise(files=tmp_path / "folder")
    await supervisor.update(config(listener("{file: page}")))
    assert await supervisor.answers() == {b"of the folder"}


# ── The file again ──────────────────────────────────────────────────────────────────────────────────────────────────
async def test_reload_applies_the_file(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    supervisor.path.write_text(text(listener("two")))
    await supervisor.reload()
    assert await supervisor.answers() == {b"two"}
    assert supervisor.current.origin == "file"


async def test_reload_of_invalid_file_is_logged_and_changes_nothing(
    supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = await supervise(listener("one"))
    supervisor.path.write_text("listeners: [{name: hello, adress: x}]")
    await supervisor.reload()
    refusal = supervisor.status().last_rejected
    assert refusal is not None
    assert refusal.origin == "file"
    assert "adress" in caplog.text
    assert await supervisor.answers() == {b"one"}


async def test_reload_applies_a_changed_payload_file(supervise: Supervise, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"before")
    supervisor = await supervise(listener("{file: page}"))
    (tmp_path / "page").write_bytes(b"after")
    await supervisor.reload()
    assert supervisor.current.number == 2
    assert await supervisor.answers() == {b"after"}


async def test_reload_without_a_file_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor(Options())
    await supervisor.reload()
    assert "without --config" in caplog.text


# ── Addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_address_change_does_not_affect_other_listeners(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), listener("moving", name="moving"), workers=2)
    before = supervisor.port("moving")
    clients = Asking(supervisor.port())
    await clients.more()
    port = free_port()
    await supervisor.update(config(listener("one"), listener("moved", name="moving", address=f"127.0.0.1:{port}")))
    assert refused(before)
    newcomers = Asking(port, 2)
    await newcomers.more()
    await clients.more()
    await newcomers.stop()
    await clients.stop()
    assert (clients.failures, newcomers.failures) == (0, 0)
    assert set(newcomers.answers) == {b"moved"}


async def test_listener_replaced_by_a_wider_address_serves_without_a_gap(supervise: Supervise) -> None:
    port = free_port()
    supervisor = await supervise(listener("narrow", address=f"127.0.0.1:{port}"), workers=2)
    clients = Asking(port)
    await clients.more()
    await supervisor.update(config(listener("wide", address=f"0.0.0.0:{port}")))
    assert await supervisor.answers() == {b"wide"}
    await clients.more()
    await clients.stop()
    assert set(clients.answers) == {b"narrow", b"wide"}
    # One may come between the last accept and the end of listening, of each worker.
    assert all(isinstance(error, ConnectionResetError) for error in clients.errors)
    assert clients.failures <= 2


async def test_address_can_be_removed_and_added_repeatedly(supervise: Supervise) -> None:
    port = free_port()
    there = listener("there", name="there", address=f"127.0.0.1:{port}")
    supervisor = await supervise(listener(), there, workers=2)
    for _ in range(3):
        await supervisor.update(config(listener()))
        assert refused(port)
        await supervisor.update(config(listener(), there))
        assert await supervisor.answers("there") == {b"there"}


async def test_hundred_updates_under_load_lose_no_connection(supervise: Supervise) -> None:
    supervisor = await supervise(listener("0"), workers=2)
    clients = Asking(supervisor.port())
    for number in range(1, 101):
        await supervisor.update(config(listener(str(number))))
        answer = await supervisor.answers(count=4)
        assert answer == {str(number).encode()}
    await clients.stop()
    assert clients.failures == 0
    assert set(clients.answers) <= {str(number).encode() for number in range(101)}


# ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_update_during_shutdown_is_rejected(supervise: Supervise) -> None:
    supervisor = await supervise()
    stopping = asyncio.ensure_future(supervisor.stop())
    await asyncio.sleep(0)
    with pytest.raises(Stopping):
        await supervisor.update(config(listener("two")))
    await stopping


LONELY = """
import asyncio, sys, uvloop
from pathlib import Path
from answerback.supervisor import Options, Supervisor

async def main():
    supervisor = Supervisor(Options(config_path=Path(sys.argv[1]), workers=2))
    await supervisor.start()
    print(*(worker.pid for worker in supervisor.status().workers), flush=True)
    await asyncio.get_running_loop().create_future()

uvloop.run(main())
"""


def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener()))
    with subprocess.Popen([sys.executable, "-c", LONELY, str(path)], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(word) for word in supervisor.stdout.readline().split()]
        assert all(map(alive, pids))
        supervisor.kill()
        eventually(lambda: not any(map(alive, pids)), within=1)


# ── Metrics ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_series_of_removed_listener_return_when_it_is_added_again(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), listener("two", name="other"))
    now = 0.0
    supervisor.series = supervisor._changes._series = Series(
        supervisor.layout, lambda place: read_open(supervisor.counters, place), clock=lambda: now, seconds=60.0
    )
    await supervisor.update(config(listener("three"), listener("two", name="other")))
    await supervisor.answers("other", 3)
    await supervisor.update(config(listener("three")))
    now = 59.0
    assert set(supervisor.series.shown().listeners) == {"hello", "other"}
    now = 60.0
    shown = supervisor.series.shown()
    assert set(shown.listeners) == {"hello"}
    assert set(shown.rules) == {("hello", "rules[0]")}
    await supervisor.update(config(listener("three"), listener("two", name="other")))
    assert set(supervisor.series.shown().listeners) == {"hello", "other"}
    assert supervisor.balance("other")[0] == 3


async def test_first_configuration_has_metric_series(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    assert set(supervisor.series.shown().listeners) == {"hello"}


async def test_status_without_listeners_has_everything_else(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    status = supervisor.status(listeners=False)
    assert not status.listeners
    assert replace(supervisor.status(), listeners=[], workers=status.workers) == status


async def test_file_equal_to_active_configuration_ends_the_rejection(supervise: Supervise) -> None:
    supervisor = await supervise()
    good = supervisor.path.read_text()
    supervisor.path.write_text("listeners: nonsense")
    await supervisor.reload()
    refused_at = supervisor.status().last_rejected
    applied_at = supervisor.status().last_applied
    assert refused_at is not None
    assert applied_at is not None
    assert refused_at.time > applied_at.time
    supervisor.path.write_text(good)
    await supervisor.reload()
    status = supervisor.status()
    assert status.last_applied is not None
    assert status.last_applied.time > refused_at.time
    assert status.last_applied.origin == "file"
    assert (status.revision, status.applied, status.rejected) == (1, 1, 1)
