"""The file of --config: reading it, and when it is applied again."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from answerback.language.problems import Problem, Refused
from answerback.supervisor.errors import Change, ChangeFailed, Stopping
from answerback.supervisor.revisions.store import Revision
from answerback.supervisor.rollout import config_file
from answerback.supervisor.rollout.config_file import ConfigFile, Look, Reloads
from tests.supervisor.supervising import config, listener, text, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener("one")))
    return path


# ── A look ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_configuration_file_look_has_document_and_payload_files(path: Path) -> None:
    path.write_text(text(listener("{file: page}")))
    (path.parent / "page").write_bytes(b"content")
    look = ConfigFile(path).look()
    assert (look.document.config, dict(look.files)) == (config(listener("{file: page}")), {"page": b"content"})
    assert (look.document.problems, look.problems) == ((), ())


def test_config_file_digest_changes_only_with_content(path: Path) -> None:
    seen = ConfigFile(path)
    page = path.parent / "page"
    digests = [seen.look().digest]
    path.write_text(text(listener("{file: page}")))
    digests.append(seen.look().digest)  # it cannot be read yet
    page.write_bytes(b"a")
    digests.append(seen.look().digest)
    page.write_bytes(b"b")
    digests.append(seen.look().digest)
    path.unlink()
    digests.append(seen.look().digest)
    assert len(set(digests)) == 5
    path.write_text(text(listener("{file: page}")))
    os.utime(path, (1, 1))
    assert seen.look().digest == digests[3]


def test_configuration_file_that_cannot_be_read_is_a_problem(path: Path) -> None:
    path.unlink()
    look = ConfigFile(path).look()
    assert look.document.problems == (Problem("", f"cannot read {path}: No such file or directory"),)


def test_unchanged_config_file_is_parsed_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ConfigFile(path)
    document = seen.look().document
    monkeypatch.setattr(config_file, "load", None)
    assert seen.look().document is document


# ── When it is applied ──────────────────────────────────────────────────────────────────────────────────────────────
def write(path: Path, content: str) -> None:
    path.write_text(content)


@dataclass
class Applying:
    """What is asked of a supervisor, and what becomes of it."""

    outcome: Exception | None = None
    changed: bool = True
    applied: list[Look] = field(default_factory=list)

    async def __call__(self, look: Look) -> Change:
        self.applied.append(look)
        if self.outcome is not None:
            raise self.outcome
        return Change(Revision(2, "a-2", look.document.config), changed=self.changed, workers=1)


@pytest.fixture
def applying() -> Applying:
    return Applying()


@pytest.fixture
async def reloads(path: Path, applying: Applying, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reloads]:
    """Of a file that is looked at a hundred times a second."""
    monkeypatch.setattr(config_file, "LOOK_SECONDS", 0.01)
    reloads = Reloads(ConfigFile(path), applying)
    await reloads.first()
    yield reloads
    reloads.stop()


class Looks:
    """Counts looks, and does something before each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.before = [lambda: None]
        look = ConfigFile.look

        def counted(itself: ConfigFile) -> Look:
            self.before[0]()
            seen = look(itself)
            self.count += 1
            return seen

        monkeypatch.setattr(ConfigFile, "look", counted)

    async def more(self, many: int = 6) -> None:
        enough = self.count + many
        await until(lambda: self.count >= enough)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


async def test_watched_file_equal_to_active_configuration_is_not_applied(
    looks: Looks, reloads: Reloads, applying: Applying
) -> None:
    reloads.watch()
    await looks.more()
    assert (applying.applied, reloads.status.watched) == ([], True)


async def test_watched_file_that_changed_is_applied_once(
    path: Path, looks: Looks, reloads: Reloads, applying: Applying
) -> None:
    reloads.watch()
    write(path, text(listener("two")))
    await until(lambda: applying.applied)
    await looks.more()
    (look,) = applying.applied
    assert look.document.config == config(listener("two"))


async def test_watched_file_still_being_written_is_not_applied(
    path: Path, looks: Looks, reloads: Reloads, applying: Applying
) -> None:
    def write_on() -> None:
        write(path, f"{text(listener('two'))}# {looks.count // 2}\n")  # the same for two looks, not for three

    looks.before = [write_on]
    reloads.watch()
    await looks.more(20)
    assert applying.applied == []
    looks.before = [lambda: None]
    await until(lambda: applying.applied)


async def test_watched_file_rejected_is_logged_once_for_each_content(
    path: Path, looks: Looks, reloads: Reloads, applying: Applying, caplog: pytest.LogCaptureFixture
) -> None:
    applying.outcome = Refused([Problem("listeners[0].name", "is missing", 2, 3), Problem("", "and more")])
    reloads.watch()
    for content in ("listeners: [{}]", "listeners: [{}, {}]"):
        write(path, content)
        await until(lambda: [record for record in caplog.records if "was not applied" in record.message])
        await looks.more()
        (record,) = (record for record in caplog.records if "was not applied" in record.message)
        assert record.message == f"{path} was not applied: 2:3: listeners[0].name: is missing; and more"
        caplog.clear()
    assert reloads.status.refusal == f"{path} was not applied: 2:3: listeners[0].name: is missing (and 1 more)"

    applying.outcome = None
    write(path, text(listener("three")))
    await until(lambda: len(applying.applied) == 3)
    await until(lambda: not reloads.status.problems)
    assert reloads.status.refusal == ""


async def test_reload_failed_by_a_worker_is_retried_and_logged_once(
    path: Path, reloads: Reloads, applying: Applying, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_file, "RETRY_SECONDS", 0.01)
    applying.outcome = ChangeFailed("worker 0 died")
    reloads.watch()
    write(path, text(listener("two")))
    await until(lambda: len(applying.applied) == 3)
    assert reloads.status.refusal == f"{path} was not applied: worker 0 died"
    applying.outcome = None
    await until(lambda: not reloads.status.problems)
    errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert errors == [f"{path} was not applied: worker 0 died"]


async def test_reload_on_request_applies_an_unchanged_file(
    reloads: Reloads, applying: Applying, caplog: pytest.LogCaptureFixture, path: Path
) -> None:
    applying.changed = False
    with caplog.at_level("INFO"):
        await reloads.again()
        applying.outcome = Stopping()
        await reloads.again()
    assert len(applying.applied) == 2
    assert [record.message for record in caplog.records] == [
        f"{path} is unchanged",
        f"{path} was not applied: the server is shutting down",
    ]
    assert reloads.status.watched is False


async def test_failed_watch_of_the_config_file_is_logged(
    reloads: Reloads, looks: Looks, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    looks.before = [fail]
    reloads.watch()
    await until(lambda: "stopped watching the configuration file" in caplog.text)
