"""bench.rules: its configurations, and a run of this part."""

import json
import shutil
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.language.check import check
from bench import __main__ as bench
from bench.figures import judge
from bench.results import Results, Ruled
from bench.rules import KINDS, Kind, configuration
from bench.stats import spread
from tests.language.compiling import RequestContext, selected

pytestmark = pytest.mark.long

ANSWER = b"+PONG\r\n"


def asked(number: int) -> bytes:
    return b"*2\r\n$3\r\nGET\r\n$16\r\nkey:%012d\r\n" % number


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_benchmark_request_selects_its_own_rule(kind: Kind) -> None:
    document = load(configuration(kind, kind.many))
    assert not document.problems
    assert check(document.config, {}) == []
    for number in (0, 7, kind.many - 1):
        assert rule_for(configuration(kind, kind.many), number) == f"rules[{number}]"
    assert rule_for(configuration(kind, kind.many), kind.many) == f"rules[{kind.many}]"
    assert [rule_for(configuration(kind, 1), number) for number in (0, 1)] == ["rules[0]", "rules[1]"]


def rule_for(text: str, number: int) -> str:
    rule = selected(load(text).config, RequestContext(asked(number)))
    assert rule is not None
    assert rule.reply is not None
    assert rule.reply.data == ANSWER
    return rule.name


def test_many_rules_are_judged_by_ratio_and_added_time() -> None:
    found = Results("now", {}, {})
    assert [verdict.met for verdict in judge(found, ["rules"], ["callback"])] == [False, False]
    one, many = spread([10.0]), spread([12.0])
    found.rules += [Ruled(kind.name, kind.many, one, many, spread([1.2]), spread([10.5])) for kind in KINDS]
    assert [(verdict.measured, verdict.met) for verdict in judge(found, ["rules"], ["callback"])] == [
        (1.2, True),
        (10.5, False),
    ]


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="needs redis-benchmark")
def test_rules_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "rules", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["missing"] == []
    assert [(each["kind"], each["many"]) for each in found["rules"]] == [("exact", 1000), ("regex", 50)]
    assert all(each["one"]["median"] > 0 for each in found["rules"])
    assert "1,000 exact rules: " in capsys.readouterr().out
