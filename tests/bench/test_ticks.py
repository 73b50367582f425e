"""bench.ticks: its configurations, a run of this part, and its figures."""

import json
import socket
from pathlib import Path

import pytest

import bench.__main__ as bench
from answerback.document.document import load
from answerback.language.check import check
from bench.figures import judge
from bench.load import LoadFailed
from bench.results import Results, Ticked
from bench.ticks import configuration, drain


@pytest.mark.parametrize("ticking", [False, True])
def test_configurations_of_ticks_differ_in_one_rule(ticking: bool) -> None:
    loaded = load(configuration(ticking=ticking))
    assert (*loaded.problems, *check(loaded.config, {})) == ()
    assert len(loaded.config.listeners[0].rules) == 1 + ticking


def test_lines_that_arrived_are_counted_and_others_are_an_error() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert drain([here]) == [0]
        there.sendall(b"beat\n" * 3)
        assert drain([here]) == [3]
        there.sendall(b"beat\nbeast\n")
        with pytest.raises(LoadFailed, match="beast"):
            drain([here])
        there.close()
        with pytest.raises(LoadFailed, match="closed a connection"):
            drain([here])


def test_ticks_are_judged_by_their_part_of_a_core() -> None:
    found = Results("now", {}, {})
    assert not any(verdict.met for verdict in judge(found, ["ticks"], ["callback", "coroutine"]))
    found.ticks += [
        Ticked("callback", 10_000, 200_000, 20.0, 0.01, 0.25),
        Ticked("coroutine", 10_000, 1, 20.0, 0.01, 0.26),
    ]
    judged = judge(found, ["ticks"], ["callback", "coroutine"])
    assert [(verdict.measured, verdict.met) for verdict in judged] == [(25.0, True), (26.0, False)]


@pytest.mark.long
def test_ticks_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "ticks", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["missing"] == []
    assert [(each["engine"], each["connections"]) for each in found["ticks"]] == [("callback", 100), ("coroutine", 100)]
    assert all(each["beats"] >= 100 and each["cores"] > 0 for each in found["ticks"])
    assert "100 connections with a tick a second: " in capsys.readouterr().out
