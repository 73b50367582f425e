"""The watcher of the file of --config: when the file is applied again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor.errors import ChangeFailed, Stopping
from answerback.supervisor.revisions.store import Revision
from answerback.supervisor.rollout import config_watcher
from answerback.supervisor.rollout.changes import Change, ChangeRequest, Changes
from answerback.supervisor.rollout.config_file import ConfigFile, ConfigSnapshot
from answerback.supervisor.rollout.config_watcher import ConfigWatcher
from answerback.supervisor.rollout.sources import FileContent
from tests.supervisor.supervising import config, listener, text, until


def write(path: Path, content: str) -> None:
    path.write_text(content)


@dataclass
class FakeChanges:
    """What is asked of a supervisor, and what becomes of it."""

    outcome: Exception | None = None
    changed: bool = True
    applied: list[ConfigSnapshot] = field(default_factory=list)
    current: Revision = field(default_factory=lambda: Revision(1, "a-1", config(listener("one"))))

    async def make(self, request: ChangeRequest) -> Change:
        assert isinstance(request.source, FileContent)
        self.applied.append(request.source.snapshot)
        if self.outcome is not None:
            raise self.outcome
        return Change(Revision(2, "a-2", request.source.snapshot.document.config), changed=self.changed, workers=1)


@pytest.fixture
def changes() -> FakeChanges:
    return FakeChanges()


@pytest.fixture
async def watcher(path: Path, changes: FakeChanges, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ConfigWatcher]:
    """Of a file that is read a hundred times a second."""
    monkeypatch.setattr(config_watcher, "POLL_SECONDS", 0.01)
    watcher = ConfigWatcher(ConfigFile(path), cast(Changes, changes))
    await watcher.initial()
    yield watcher
    watcher.stop()


class Reads:
    """Counts reads, and does something before each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.before = [lambda: None]
        read = ConfigFile.read

        def counted(itself: ConfigFile) -> ConfigSnapshot:
            self.before[0]()
            seen = read(itself)
            self.count += 1
            return seen

        monkeypatch.setattr(ConfigFile, "read", counted)

    async def more(self, many: int = 6) -> None:
        enough = self.count + many
        await until(lambda: self.count >= enough)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


async def test_watched_file_equal_to_active_configuration_is_not_applied(
    reads: Reads, watcher: ConfigWatcher, changes: FakeChanges
) -> None:
    watcher.watch()
    await reads.more()
    assert (changes.applied, watcher.status.watched) == ([], True)


async def test_watched_file_that_changed_is_applied_once(
    path: Path, reads: Reads, watcher: ConfigWatcher, changes: FakeChanges
) -> None:
    watcher.watch()
    write(path, text(listener("two")))
    await until(lambda: changes.applied)
    await reads.more()
    (snapshot,) = changes.applied
    assert snapshot.document.config == config(listener("two"))


async def test_watched_file_still_being_written_is_not_applied(
    path: Path, reads: Reads, watcher: ConfigWatcher, changes: FakeChanges
) -> None:
    def write_on() -> None:
        write(path, f"{text(listener('two'))}# {reads.count // 2}\n")  # the same for two reads, not for three

    reads.before = [write_on]
    watcher.watch()
    await reads.more(20)
    assert changes.applied == []
    reads.before = [lambda: None]
    await until(lambda: changes.applied)


async def test_watched_file_rejected_is_logged_once_for_each_content(
    path: Path, reads: Reads, watcher: ConfigWatcher, changes: FakeChanges, caplog: pytest.LogCaptureFixture
) -> None:
    changes.outcome = InvalidConfig([Problem("listeners[0].name", "is missing", 2, 3), Problem("", "and more")])
    watcher.watch()
    for content in ("listeners: [{}]", "listeners: [{}, {}]"):
        write(path, content)
        await until(lambda: [record for record in caplog.records if "was not applied" in record.message])
        await reads.more()
        (record,) = (record for record in caplog.records if "was not applied" in record.message)
        assert record.message == f"{path} was not applied: 2:3: listeners[0].name: is missing; and more"
        caplog.clear()
    assert watcher.status.rejection == f"{path} was not applied: 2:3: listeners[0].name: is missing (and 1 more)"

    changes.outcome = None
    write(path, text(listener("three")))
    await until(lambda: len(changes.applied) == 3)
    await until(lambda: not watcher.status.problems)
    assert watcher.status.rejection == ""


async def test_reload_failed_by_a_worker_is_retried_and_logged_once(
    path: Path,
    watcher: ConfigWatcher,
    changes: FakeChanges,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config_watcher, "RETRY_SECONDS", 0.01)
    changes.outcome = ChangeFailed("worker 0 died")
    watcher.watch()
    write(path, text(listener("two")))
    await until(lambda: len(changes.applied) == 3)
    assert watcher.status.rejection == f"{path} was not applied: worker 0 died; nothing has changed"
    changes.outcome = None
    await until(lambda: not watcher.status.problems)
    errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert errors == [f"{path} was not applied: worker 0 died; nothing has changed"]


async def test_reload_on_request_applies_an_unchanged_file(
    watcher: ConfigWatcher, changes: FakeChanges, caplog: pytest.LogCaptureFixture, path: Path
) -> None:
    changes.changed = False
    with caplog.at_level("INFO"):
        await watcher.reload()
        changes.outcome = Stopping()
        await watcher.reload()
    assert len(changes.applied) == 2
    assert [record.message for record in caplog.records] == [
        f"{path} is unchanged",
        f"{path} was not applied: the server is shutting down",
    ]
    assert watcher.status.watched is False


async def test_failed_watch_of_the_config_file_is_logged(
    watcher: ConfigWatcher, reads: Reads, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    reads.before = [fail]
    watcher.watch()
    await until(lambda: "stopped watching the configuration file" in caplog.text)
