"""python -m bench: options and exit codes."""

import json
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import memory


def test_benchmark_defaults_run_all_parts() -> None:
    options = bench.parse([])
    assert options.parts == list(bench.PARTS)
    assert options.pairs >= 7
    assert options.connections == memory.CONNECTIONS == 10_000
    assert options.json is None


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--parts", "memory,lunch"], "unknown: lunch"),
        (["--contenders", "go"], "unknown: go"),
        (["--pairs", "0"], "'0' is not a number from 1"),
        (["--pairs", "many"], "'many' is not a number from 1"),
    ],
)
def test_benchmark_with_invalid_options_exits_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        bench.parse(arguments)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


def test_benchmark_without_its_programs_names_them_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    path = tmp_path / "found.json"
    assert bench.main(["--json", str(path)]) == 1
    shown = capsys.readouterr()
    assert "redis-benchmark is not installed" in shown.out
    assert "no C compiler" in shown.out
    assert "not measured" in shown.out
    assert "could not run" in shown.err
    found = json.loads(path.read_text())
    assert found["costs"] == []
    assert {each["met"] for each in found["verdicts"]} == {False}


def test_benchmark_smoke_run_gives_no_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--smoke", "--parts", "memory", "--contenders", "uvloop"]) == 0
    shown = capsys.readouterr().out
    assert "User memory per idle connection" in shown
    assert "Figures" not in shown


def test_benchmark_interrupted_reports_finished_parts_without_verdicts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_bench: bench.Bench, _build: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.Bench, "run_start", interrupt)
    assert bench.main(["--parts", "memory,start", "--contenders", "uvloop", "--connections", "50"]) == 130
    shown = capsys.readouterr()
    assert "User memory per idle connection" in shown.out
    assert "Figures" not in shown.out
    assert "interrupted" in shown.err
