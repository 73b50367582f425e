"""bench.rules: its configurations, and a run of this part."""

import json
import shutil
from pathlib import Path

import pytest

from answerback.core.actions import Send
from answerback.core.steps import AddShared
from answerback.document.document import load
from answerback.language.check import check
from bench import __main__ as bench
from bench.figures import judge
from bench.results import Results, Ruled
from bench.rules import KINDS, Kind, expr_alone
from bench.stats import spread
from tests.language.compiling import RequestContext, selected

pytestmark = pytest.mark.long

ANSWER = b"+PONG\r\n"


def asked(number: int) -> bytes:
    return b"*2\r\n$3\r\nGET\r\n$16\r\nkey:%012d\r\n" % number


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.name)
def test_each_benchmark_request_selects_its_own_rule(kind: Kind) -> None:
    one, many = kind.configurations
    for text in (one, many):
        document = load(text)
        assert not document.problems
        assert check(document.config, {}) == []
    for number in (0, 7, kind.many - 1):
        assert rule_for(many, number) == f"rules[{number}]"
    assert rule_for(many, kind.many) == f"rules[{kind.many}]"
    assert [rule_for(one, number) for number in (0, 1)] == ["rules[0]", "rules[1]"]


@pytest.mark.parametrize("kind", KINDS[2:], ids=lambda kind: kind.name)
def test_both_sides_of_an_expression_answer_every_request(kind: Kind) -> None:
    for text in kind.configurations:
        document = load(text)
        assert not document.problems
        assert check(document.config, {}) == []
        context = RequestContext(asked(123_456))
        rule = selected(document.config, context)
        assert rule is not None
        assert rule.name == "rules[0]"
        *before, last = [step(context) if callable(step) else step for step in rule.steps]
        assert isinstance(last, Send)
        assert bytes(last.data).startswith(b"+")
        assert all(isinstance(result, AddShared) for result in before)


def test_both_sides_of_shared_variables_have_two_workers_and_the_same_size_of_reply() -> None:
    assert {kind.name: kind.workers for kind in KINDS[4:7]} == {"one shared variable": 2, "add": 2, "a constant": 2}
    expected = b"+1234 40 123456789012 12345678 \r\n"
    one, many = KINDS[4].configurations
    context = RequestContext(asked(1))
    context.shared.put(b"greeting", expected[1:-2])
    for text in (one, many):
        rule = selected(load(text).config, context)
        assert rule is not None
        (step,) = rule.steps
        result = step(context) if callable(step) else step
        assert isinstance(result, Send)
        assert result.data == expected


def test_expression_by_itself_is_compared_with_prefix() -> None:
    assert 0.3 < expr_alone(5) < 3


def rule_for(text: str, number: int) -> str:
    rule = selected(load(text).config, RequestContext(asked(number)))
    assert rule is not None
    assert rule.reply is not None
    assert rule.reply.data == ANSWER
    return rule.name


def test_many_rules_are_judged_by_ratio_and_added_time() -> None:
    found = Results("now", {}, {})
    assert not any(verdict.met for verdict in judge(found, ["rules"], ["callback"]))
    one, many = spread([10.0]), spread([12.0])
    found.rules += [Ruled(kind.name, kind.many, one, many, spread([1.2]), spread([10.5])) for kind in KINDS]
    found.expr_alone = 1.3
    assert [(verdict.measured, verdict.met) for verdict in judge(found, ["rules"], ["callback"])] == [
        (1.2, True),
        (10.5, False),
        (1.2, False),
        (1.3, True),
        (10.5, True),
        (10.5, False),
        (10.5, True),
        (10.5, False),
    ]


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="needs redis-benchmark")
def test_rules_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "rules", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["missing"] == []
    assert [(each["kind"], each["many"]) for each in found["rules"]] == [
        ("exact", 1000),
        ("regex", 50),
        ("expr of a slice", 1),
        ("template of five values", 1),
        ("one shared variable", 1),
        ("add", 1),
        ("a constant", 1),
        ("times for each peer", 1),
    ]
    assert found["expr_alone"] > 0
    assert all(each["one"]["median"] > 0 for each in found["rules"])
    told = capsys.readouterr().out
    assert "1,000 exact rules: " in told
    assert "template of five values: " in told
