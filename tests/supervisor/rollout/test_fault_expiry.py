"""Faults that end by themselves, on real workers."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from answerback.language.fault_editing import without_expired
from answerback.supervisor import Clock
from answerback.supervisor.errors import ChangeFailed
from answerback.supervisor.revisions.store import RevisionsInMemory
from answerback.supervisor.rollout import fault_expiry
from answerback.supervisor.rollout.changes import comment_of
from answerback.v1 import config_pb2 as v1
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Edited, Supervised, config, listener, until

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class SetClock(Clock):
    """A time of day that a test sets."""

    time: datetime = field(default=START)

    def now(self) -> datetime:
        return self.time


def dropping(seconds: float, answer: str = "one") -> v1.Config:
    """A listener that loses its replies until this many seconds after START."""
    found = config(listener(answer))
    fault = found.listeners[0].faults.add(name="lossy", drop=v1.Fault.Drop())
    fault.expire_time.FromDatetime(START + timedelta(seconds=seconds))
    return found


async def serves(supervisor: Supervised, revision: int) -> None:
    """Wait until all workers serve a revision."""
    await until(lambda: all(worker.revision == revision for worker in supervisor.status().workers))


async def origins(supervisor: Supervised) -> list[tuple[str, str]]:
    page = await supervisor.history.page("", 99, whole=False)
    return [(one.origin, one.comment) for one in page.revisions]


@pytest.fixture(autouse=True)
def _short_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The set clock does not wake anything: look at it often."""
    monkeypatch.setattr(fault_expiry, "LONGEST_SLEEP", 0.01)
    monkeypatch.setattr(fault_expiry, "RETRY_SECONDS", 0.01)


async def test_fault_is_removed_at_its_time_in_a_revision_of_its_own(supervise: Supervise) -> None:
    clock = SetClock()
    supervisor = await supervise(listener("one"), clock=clock)
    await supervisor.update(dropping(10))
    assert await supervisor.answers() == {b""}
    clock.time += timedelta(seconds=9.999)
    await asyncio.sleep(0.05)
    assert supervisor.current.number == 2
    clock.time += timedelta(seconds=0.001)
    await serves(supervisor, 3)
    assert await supervisor.answers() == {b"one"}
    assert (await origins(supervisor))[0] == ("expiry", "expired: lossy of hello")
    assert supervisor.current.config == config(listener("one"))
    assert supervisor.current.identity == ""
    await asyncio.sleep(0.05)
    assert supervisor.current.number == 3


async def test_fault_added_later_with_an_earlier_time_goes_first(supervise: Supervise) -> None:
    clock = SetClock()
    supervisor = await supervise(listener("one"), clock=clock)
    await supervisor.update(dropping(3600))
    await supervisor.update(dropping(1, "two"))
    clock.time += timedelta(seconds=1)
    await serves(supervisor, 4)
    assert await supervisor.answers() == {b"two"}


async def test_concurrent_changes_are_not_lost(supervise: Supervise) -> None:
    clock = SetClock()
    supervisor = await supervise(listener("one"), clock=clock)
    await supervisor.update(dropping(1))

    def other(current: v1.Config) -> v1.Config:
        changed = v1.Config()
        changed.CopyFrom(current)
        changed.listeners[0].limits.max_connections += 1
        return changed

    edits = [supervisor.edit(Edited(other)) for _ in range(10)]
    clock.time += timedelta(seconds=1)
    await asyncio.gather(*edits)
    await until(lambda: not supervisor.current.config.listeners[0].faults)
    assert supervisor.current.config.listeners[0].limits.max_connections == 10
    assert [origin for origin, _ in await origins(supervisor)].count("expiry") == 1
    assert supervisor.current.number == 13


async def test_fault_that_was_removed_before_its_time_makes_no_revision(supervise: Supervise) -> None:
    clock = SetClock()
    supervisor = await supervise(listener("one"), clock=clock)
    await supervisor.update(dropping(1))
    await supervisor.update(config(listener("one")))
    clock.time += timedelta(seconds=2)
    await asyncio.sleep(0.05)
    assert supervisor.current.number == 3
    assert supervisor.status().rejected == 0


async def test_payload_files_are_not_read_again_when_a_fault_expires(supervise: Supervise, tmp_path: Path) -> None:
    clock = SetClock()
    (tmp_path / "page").write_bytes(b"before")
    supervisor = await supervise(listener("{file: page}"), clock=clock, files=tmp_path)
    await supervisor.update(dropping(1, "{file: page}"))
    (tmp_path / "page").write_bytes(b"after")
    clock.time += timedelta(seconds=1)
    await serves(supervisor, 3)
    assert await supervisor.answers() == {b"before"}


async def test_fault_that_expired_while_the_server_was_down_never_applies_again(supervise: Supervise) -> None:
    store = RevisionsInMemory("abc")
    clock = SetClock()
    first = await supervise(listener("one"), clock=clock, store=store)
    await first.update(dropping(10))
    await first.stop(abort=True)
    clock.time += timedelta(seconds=10)
    second = await supervise(listener("one"), clock=clock, store=store)
    assert second.current.number == 3  # already at the start: no reply was lost
    assert await second.answers() == {b"one"}
    assert (await origins(second))[0] == ("expiry", "expired: lossy of hello")


async def test_fault_that_has_time_left_survives_a_restart_and_then_goes(supervise: Supervise) -> None:
    store = RevisionsInMemory("abc")
    clock = SetClock()
    first = await supervise(listener("one"), clock=clock, store=store)
    await first.update(dropping(10))
    await first.stop(abort=True)
    second = await supervise(listener("one"), clock=clock, store=store)
    assert second.current.number == 2
    assert await second.answers() == {b""}
    clock.time += timedelta(seconds=10)
    await serves(second, 3)
    assert await second.answers() == {b"one"}


async def test_removal_that_failed_is_tried_again(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SetClock()
    supervisor = await supervise(listener("one"), clock=clock)
    await supervisor.update(dropping(1))
    remove = supervisor._changes.remove_expired
    failures: list[int] = []

    async def failing() -> None:
        if len(failures) < 2:
            failures.append(1)
            raise ChangeFailed("no room")
        await remove()

    monkeypatch.setattr(supervisor._changes, "remove_expired", failing)
    clock.time += timedelta(seconds=1)
    await serves(supervisor, 3)
    assert caplog.text.count("expired faults were not removed, next attempt in 0.01 s: no room; nothing has") == 2


async def test_file_with_an_expired_fault_is_served_without_it(supervise: Supervise) -> None:
    expired = "\n  faults: [{name: old, expire_time: 2020-01-01T00:00:00Z, drop: {}}]"
    supervisor = await supervise(listener("one").rstrip() + expired)
    await serves(supervisor, 2)
    assert await supervisor.answers() == {b"one"}


async def test_expiry_ends_with_the_server(supervise: Supervise) -> None:
    clock = SetClock()
    supervisor = await supervise(listener("one"), clock=clock)
    await supervisor.update(dropping(1))
    await supervisor.stop(abort=True)
    clock.time += timedelta(seconds=2)
    await asyncio.sleep(0.05)
    assert supervisor.current.number == 2
    task = supervisor._expiry._running
    assert task is not None
    await until(task.done)


def test_comment_names_some_of_the_faults() -> None:
    assert comment_of([("a", "one"), ("b", "two")]) == "expired: one of a, two of b"
    assert comment_of([("a", str(n)) for n in range(5)]) == "expired: 0 of a, 1 of a, 2 of a and 2 more"


def test_faults_without_expiry_stay() -> None:
    permanent = config(listener("one"))
    permanent.listeners[0].faults.add(drop=v1.Fault.Drop())
    assert without_expired(permanent, 1 << 62) == permanent
