"""The first configuration: the file, the newest stored revision, or the built-in one."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from answerback.language.problems import InvalidConfig
from answerback.supervisor import Clock, Retention, StartError
from answerback.supervisor import State as Serving
from answerback.supervisor.revisions.sqlite_store import SqliteStore
from tests.ports import free_port
from tests.supervisor.supervising import Supervised, config, listener, text, until

pytestmark = pytest.mark.long

Start = Callable[..., Awaitable["Kept"]]


class Kept(Supervised):
    """A supervisor whose history is kept; `end` leaves the directory to the next one."""

    def __init__(self, path: Path | None, store: SqliteStore, **options: Any) -> None:
        super().__init__(path or Path("/nowhere"), store=store, **options)
        self.store = store

    async def end(self) -> None:
        await self.stop(abort=True)
        await self.store.close()

    async def numbers(self) -> list[tuple[int, str]]:
        page = await self.history.page("", 99, whole=False)
        return [(one.number, one.origin) for one in page.revisions]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a supervisor on the state of this test, with a file that says this, or without one."""
    started: list[Kept] = []

    async def start(said: str | None = None, **options: Any) -> Kept:
        path = tmp_path / "answerback.yaml"
        if said is not None:
            path.write_text(said)
        state = await SqliteStore.open(tmp_path / "state", Retention())
        supervisor = Kept(path if said is not None else None, state, config_path=path if said else None, **options)
        started.append(supervisor)
        try:
            await supervisor.start()
        except BaseException:
            await state.close()
            started.remove(supervisor)
            raise
        return supervisor

    yield start
    for supervisor in started:
        if supervisor.status().state is not Serving.DRAINING:
            await supervisor.end()


async def test_changed_configuration_is_served_after_a_restart(start: Start) -> None:
    first = await start(text(listener("one")))
    change = await first.update(config(listener("two")), comment="why")
    await first.end()
    second = await start()
    assert second.current == change.revision
    assert await second.answers() == {b"two"}
    assert await second.numbers() == [(2, "api"), (1, "file")]
    applied = second.status().last_applied
    assert applied is not None
    assert (applied.time, applied.origin, applied.comment) == (change.revision.time, "api", "why")


async def test_etag_stays_valid_after_a_restart(start: Start) -> None:
    first = await start(text(listener("one")))
    etag = first.current.etag
    assert not etag.startswith(first.instance)
    await first.end()
    second = await start()
    assert (await second.update(config(listener("two")), etag=etag)).revision.number == 2


async def test_start_with_unchanged_file_serves_the_newest_revision(start: Start) -> None:
    first = await start(text(listener("one")))
    await first.update(config(listener("two")))
    await first.end()
    second = await start("# a comment\n" + text(listener("one")))
    assert await second.answers() == {b"two"}
    assert second.current.number == 2


async def test_start_with_changed_file_makes_a_new_revision(start: Start) -> None:
    first = await start(text(listener("one")))
    await first.update(config(listener("two")))
    await first.end()
    second = await start(text(listener("three")))
    assert await second.answers() == {b"three"}
    assert await second.numbers() == [(3, "file"), (2, "api"), (1, "file")]


async def test_start_with_changed_payload_file_makes_a_revision(start: Start, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"before")
    await (await start(text(listener("{file: page}")))).end()
    (tmp_path / "page").write_bytes(b"after")
    second = await start(text(listener("{file: page}")))
    assert await second.answers() == {b"after"}
    assert second.current.number == 2


async def test_start_without_the_file_restores_stored_payload_files(start: Start, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"before")
    await (await start(text(listener("{file: page}")))).end()
    (tmp_path / "page").unlink()
    assert await (await start()).answers() == {b"before"}


async def test_start_with_file_applied_before_makes_no_revision(start: Start) -> None:
    """The file equalled the active configuration, which makes no revision."""
    first = await start(text(listener("one")))
    await first.update(config(listener("two")))
    first.path.write_text(text(listener("two")))
    await first.reload()
    await first.update(config(listener("three")))
    await first.end()
    second = await start(text(listener("two")))
    assert await second.answers() == {b"three"}


async def test_start_with_file_equal_to_active_configuration_makes_no_revision(start: Start) -> None:
    first = await start(text(listener("one")))
    await first.update(config(listener("two")))
    await first.end()
    second = await start(text(listener("two")))
    assert second.current.number == 2
    await second.update(config(listener("three")))
    await second.end()
    assert await (await start(text(listener("two")))).answers() == {b"three"}


async def test_start_without_file_restores_the_newest_revision(start: Start) -> None:
    await (await start(text(listener("one")))).end()
    second = await start()
    assert await second.numbers() == [(1, "file")]
    assert await second.answers() == {b"one"}


async def test_start_with_invalid_file_fails_although_revisions_are_stored(start: Start) -> None:
    await (await start(text(listener("one")))).end()
    with pytest.raises(InvalidConfig, match="adress"):
        await start("listeners: [{name: hello, adress: x}]")
    assert await (await start()).answers() == {b"one"}


async def test_start_with_unservable_stored_revision_names_the_revision(start: Start) -> None:
    address = f"127.0.0.1:{free_port()}"
    first = await start(text(listener("one")))
    await first.update(config(listener("two", address=address)))
    await first.end()
    message = r"revision 2, the last active revision, cannot be served: .*listeners\[0\].address: .*; fix that, or use"
    with pytest.raises(StartError, match=message):
        await start(reserved=(("the metrics", address),))
    with (
        socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))),
        pytest.raises(StartError, match=message),
    ):
        await start(text(listener("one")))
    assert await (await start()).answers() == {b"two"}


async def test_revision_numbers_continue_through_clock_steps(start: Start) -> None:
    """The clock steps an hour at each change, back and forth; no worker is restarted, and the order stays."""
    noon = datetime.now(UTC)
    steps = iter(range(99))

    class SteppingClock(Clock):
        def now(self) -> datetime:
            return noon + timedelta(hours=(-1) ** next(steps))

        def now_ns(self) -> int:  # what faults expire by: it dates nothing
            return int(noon.timestamp() * 1e9)

    supervisor = await start(text(listener("0")), clock=SteppingClock(), workers=2)
    pids = supervisor.pids()
    watch = supervisor.history.watch("")
    for number in range(1, 5):
        await supervisor.update(config(listener(str(number))))
    assert (await anext(watch)).revision.number == 5
    page = await supervisor.history.page("", 9, whole=False)
    assert [one.number for one in page.revisions] == [5, 4, 3, 2, 1]
    assert [one.time - noon for one in page.revisions] == [timedelta(hours=hours) for hours in (1, -1, 1, -1, 1)]
    await until(lambda: all(worker.running for worker in supervisor.status().workers))
    assert supervisor.pids() == pids
    await supervisor.end()
    again = await start()
    assert await again.answers() == {b"4"}
