"""bench.readers: its figures, and a run of this part."""

import json
from pathlib import Path

import pytest

from answerback.document.document import load
from bench import __main__ as bench
from bench import readers
from bench.figures import judge
from bench.results import Readers, Results
from bench.server import CouldNotRun
from bench.stats import spread


def test_readers_configuration_is_valid() -> None:
    assert not load(readers.configuration()).problems


@pytest.mark.parametrize(
    "merging, deaf, kib, met",
    [
        (1.1, 1.1, 1024.0, [True, True, True]),
        (1.2, 1.0, 0.0, [False, True, True]),
        (1.0, 1.2, 9999.0, [True, False, False]),
    ],
)
def test_readers_are_judged_by_p99_and_memory(merging: float, deaf: float, kib: float, met: list[bool]) -> None:
    found = Readers(3, spread([1.0]), spread([merging]), spread([deaf]), spread([kib]))
    results = Results("now", {}, {}, readers=found)
    assert [verdict.met for verdict in judge(results, ["readers"], ["callback"])] == met
    assert [verdict.met for verdict in judge(Results("now", {}, {}), ["readers"], ["callback"])] == [False] * 3


def test_reader_that_does_not_start_is_reported() -> None:
    with pytest.raises(CouldNotRun, match="no room"), readers.reading("raise SystemExit('no room')", ""):
        pytest.fail("it runs")


@pytest.mark.long
def test_readers_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "readers", "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["missing"] == []
    found = written["readers"]
    assert found["merges"] >= 1
    assert found["again"]["median"] > 0
    assert found["merging"]["median"] > 0
    assert found["deaf"]["median"] > 0
    assert "p99 of clients beside a watcher that never reads" in capsys.readouterr().out
