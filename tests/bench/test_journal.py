"""bench.journal: a run of this part, and its figures."""

import json
import shutil
from pathlib import Path

import pytest

import bench.__main__ as bench
from answerback.document import document
from bench.figures import judge
from bench.journal import EXCHANGES, configuration, measure_merge
from bench.results import Journaled, Merged, Results
from bench.stats import spread

MODES = ("persistent", "one-shot", "pipelined")


@pytest.mark.parametrize("enabled", [True, False])
def test_configurations_differ_in_the_journal_alone(enabled: bool) -> None:
    loaded = document.load(configuration(enabled=enabled))
    assert loaded.problems == ()
    assert loaded.config.journal.enabled is enabled
    assert configuration(enabled=enabled).replace(str(enabled).lower(), "X") == configuration(enabled=True).replace(
        "true", "X"
    )


def test_merge_reads_every_exchange_in_order() -> None:
    merged = measure_merge()
    assert (merged.exchanges, merged.workers) == (EXCHANGES, 4)
    assert merged.seconds.median > 0


def test_journal_is_judged_by_added_time_and_by_merging() -> None:
    found = Results("now", {}, {})
    assert not any(verdict.met for verdict in judge(found, ["journal"], ["callback"]))
    one = spread([10.0])
    found.journal += [
        Journaled(mode, one, one, spread([more])) for mode, more in zip(MODES, (1.0, 2.1, 0.1), strict=True)
    ]
    found.merged = Merged(10_000, 4, spread([0.05]))
    assert [(verdict.measured, verdict.met) for verdict in judge(found, ["journal"], ["callback"])] == [
        (1.0, True),
        (2.1, False),
        (0.1, True),
        (50.0, True),
    ]


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="needs redis-benchmark")
def test_journal_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    assert bench.main(["--smoke", "--parts", "journal", "--json", str(path)]) in {
        0,
        1,
    }  # a smoke run is too short to be judged
    found = json.loads(path.read_text())
    assert [each["mode"] for each in found["journal"]] == list(MODES)
    assert "journal: 10,000 exchanges of 4 workers merged in " in capsys.readouterr().out
