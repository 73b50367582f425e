"""bench.toxics: calls of Toxiproxy's API, and a run of this part."""

import json
import shutil
from pathlib import Path

import pytest

import bench.__main__ as bench
from bench import roster, toxics
from bench.load import LoadFailed
from tests.ports import free_port


def test_call_that_fails_is_no_measurement() -> None:
    with pytest.raises(OSError):
        toxics.Api(free_port()).call("GET", "/proxies", None, 200)


def test_traffic_that_fails_is_no_measurement() -> None:
    waits: list[float] = []
    with pytest.raises((LoadFailed, OSError)), toxics.traffic(free_port(), waits):
        pass
    assert waits == []


@pytest.mark.long
@pytest.mark.skipif(not any(map(shutil.which, roster.COMPILERS)), reason="needs a C compiler")
def test_toxics_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "toxics", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["missing"] == []
    assert [each["engine"] for each in found["toxics"]] == ["callback", "coroutine"]
    assert all(len(each["added"]["samples"]) == toxics.SMOKE_CALLS for each in found["toxics"])
    assert "callback, Toxiproxy's API with 2 workers: a toxic is added in " in capsys.readouterr().out
