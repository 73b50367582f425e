"""bench.fixture: a run of this part."""

import json
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import fixture
from bench.server import CouldNotRun


def test_fixture_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "fixture", "--json", str(path)]) == 0
    found = json.loads(path.read_text())["fixture"]
    assert len(found["ready"]["samples"]) == 1
    assert len(found["listen"]["samples"]) == 5
    assert found["four_ready"]["median"] > 0
    assert found["listen_p95"] >= found["listen"]["median"] > 0
    assert "fixture: a further listener (p95 " in capsys.readouterr().out


def test_fixture_benchmark_reports_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixture, "READY", "raise SystemExit('no room')")
    with pytest.raises(CouldNotRun, match="a server did not start: no room"):
        fixture.ready(1)
