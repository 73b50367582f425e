"""bench.fairness: its configuration and flood, and a run of this part."""

import json
from pathlib import Path

import pytest

from answerback.document.document import load
from bench import __main__ as bench
from bench.fairness import ATTACKERS, FLOOD_BYTES, RULES, configuration, flood
from bench.load import REQUEST
from tests.language.compiling import RequestContext, selected


def test_fairness_requests_of_clients_match_a_rule_and_those_of_attackers_none() -> None:
    document = load(configuration())
    assert not document.problems
    assert len(document.config.listeners[0].rules) == 1 + RULES
    rule = selected(document.config, RequestContext(REQUEST.rstrip()))
    assert rule is not None
    assert rule.name == "rules[0]"
    for request in (b"", b"abc", flood().split(b"\n")[-2]):
        assert selected(document.config, RequestContext(request)) is None


def test_fairness_flood_has_its_length_and_half_differs() -> None:
    requests = flood().split(b"\n")
    assert sum(map(len, requests)) + len(requests) - 1 == FLOOD_BYTES
    assert requests.count(b"") - 1 == FLOOD_BYTES // 2, "the last is what is behind the last line end"
    assert len(set(requests)) > FLOOD_BYTES // 10


@pytest.mark.long
def test_fairness_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "fairness", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["missing"] == []
    measured = [(each["engine"], each["attackers"]) for each in found["fairness"]]
    assert measured == [(engine, attackers) for engine in ("callback", "coroutine") for attackers in ATTACKERS]
    assert all(each["worst_ms"] >= each["p99_ms"] > 0 for each in found["fairness"])
    assert "60 attackers: p99 of other clients" in capsys.readouterr().out
