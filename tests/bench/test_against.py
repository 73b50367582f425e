"""python -m bench.against: when a figure is worse, and a comparison of this tree with its own commit."""

import shutil
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from answerback.document import document
from bench import against, memory
from bench.against import Found
from bench.results import Memory
from bench.server import CouldNotRun, Server
from bench.stats import spread


@pytest.mark.parametrize(
    "ratio, itself, worse",
    [
        (1.00, 1.00, False),
        (1.03, 1.00, False),
        (1.031, 1.00, True),
        (1.06, 1.07, False),
        (1.08, 1.07, True),
        (1.06, 0.93, False),
        (1.08, 0.93, True),
        (0.50, 1.00, False),
    ],
)
def test_figure_is_worse_past_tolerance_and_noise_of_equal_servers(ratio: float, itself: float, worse: bool) -> None:
    assert Found("it", spread([ratio]), spread([itself])).worse is worse


@pytest.mark.parametrize("arguments", [[], ["HEAD", "--works", "lunch"], ["HEAD", "--pairs", "0"]])
def test_comparison_with_invalid_options_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        against.main(arguments)
    assert left.value.code == 2


@pytest.mark.parametrize("no_journal", [True, False])
def test_this_tree_alone_is_without_a_journal_if_asked(no_journal: bool) -> None:
    for key in (against.AFTER, against.BEFORE, against.AGAIN):
        loaded = document.load(against.configured(against.PLAIN, key, Namespace(no_journal=no_journal)))
        assert not loaded.problems
        off = loaded.config.journal.HasField("enabled") and not loaded.config.journal.enabled
        assert off is (no_journal and key == against.AFTER)


def test_comparison_with_unknown_commit_exits_with_2() -> None:
    with pytest.raises(CouldNotRun, match="no-such-commit"), against.checked_out("no-such-commit"):
        pytest.fail("there is no such commit")
    assert against.main(["no-such-commit"]) == 2


def test_worktree_has_the_tree_of_its_commit_and_is_removed() -> None:
    with against.checked_out("HEAD") as tree:
        assert (tree / "service" / "answerback" / "cli").is_dir()
    assert not tree.exists()


def test_connections_too_few_to_measure_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def weightless(key: str, _server: Server, connections: int) -> Memory:
        return Memory(key, connections, 1 << 20, 0.0, 0.0)

    @contextmanager
    def not_started(*_: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(memory, "measure_memory", weightless)
    monkeypatch.setattr(against, "started", not_started)
    monkeypatch.setattr(against, "shutil", SimpleNamespace(which=lambda _: "redis-benchmark", rmtree=shutil.rmtree))
    assert against.main(["HEAD", "--works", "idle-callback", "--connections", "50"]) == 2


@pytest.mark.programs
def test_comparison_with_the_same_commit_is_not_worse(capsys: pytest.CaptureFixture[str]) -> None:
    assert against.main(["HEAD", "--smoke", "--works", "persistent-callback,idle-coroutine"]) == 0
    shown = capsys.readouterr().out
    assert "persistent-callback" in shown
    assert "idle-coroutine" in shown
    assert "worse" not in shown
