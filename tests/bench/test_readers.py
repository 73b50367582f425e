"""bench.readers: its figures, and a run of this part."""

import json
from pathlib import Path

import pytest

from answerback.document.document import load
from bench import __main__ as bench
from bench import readers
from bench.figures import judge
from bench.results import Compared, Readers, Results
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
    again, merged, beside = (Compared(each, spread([9.0])) for each in (1.0, merging, deaf))
    found = Readers(3, again, merged, again, beside, spread([kib]))
    results = Results("now", {}, {}, readers=found)
    assert [verdict.met for verdict in judge(results, ["readers"], ["callback"])] == met
    assert [verdict.met for verdict in judge(Results("now", {}, {}), ["readers"], ["callback"])] == [False] * 3


def test_waits_of_all_pairs_are_judged_together() -> None:
    quick, slow = [0.001] * 200, [0.001] * 190 + [0.004] * 10
    found = [readers.Waits(alone=quick, merging=quick)] * 4 + [readers.Waits(alone=quick, merging=slow)]
    compared = readers.compared(found, readers.MERGED)
    assert compared.together == 1.0  # 10 of 1,000
    assert (compared.pairs.least, compared.pairs.median, compared.pairs.greatest) == (1.0, 1.0, 4.0)
    found.append(readers.Waits(alone=quick, merging=slow))
    assert readers.compared(found, readers.MERGED).together == 4.0  # 20 of 1,200


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
    assert found["again"]["together"] > 0
    assert found["merging"]["together"] > 0
    assert found["computing"]["together"] > 0
    assert found["deaf"]["together"] > 0
    assert "p99 of clients beside a watcher that never reads" in capsys.readouterr().out
