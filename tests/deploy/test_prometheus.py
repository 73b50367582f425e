"""deploy/prometheus: the rules fire when they should, and each alert has its runbook."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.series import SERIES

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()


def rules() -> list[dict[str, Any]]:
    return [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


ALERTS = [rule["alert"] for rule in rules() if "alert" in rule]


def promtool(*arguments: str | Path) -> None:
    program = shutil.which("promtool")
    assert program, "promtool is missing (Debian: apt install prometheus)"
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.programs
def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", *RULES)


@pytest.mark.programs
def test_promtool_accepts_the_configuration() -> None:
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


# By default, where there is a promtool: a threshold is changed more easily than noticed.
@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here (Debian: apt install prometheus)")
def test_alert_rules_pass_their_promtool_tests() -> None:
    promtool("test", "rules", *TESTS)


def test_each_alert_has_tests_where_it_fires_and_where_not() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for each in test.get("alert_rule_test", []):
                (fires if each["exp_alerts"] else silent).add(each["alertname"])
    assert fires == silent == set(ALERTS)


def test_recording_rules_each_have_a_test() -> None:
    tried = "".join(file.read_text() for file in TESTS)
    assert [rule["record"] for rule in rules() if "record" in rule and f"expr: {rule['record']}" not in tried] == []


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_links_to_its_runbook(alert: str) -> None:
    rule = next(rule for rule in rules() if rule.get("alert") == alert)
    assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{alert.lower()}"
    assert re.search(rf"^## {alert}$", RUNBOOKS, re.MULTILINE)


def test_each_runbook_belongs_to_an_alert() -> None:
    assert re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE) == ALERTS


def test_metrics_queried_by_rules_exist() -> None:
    asked = {name for rule in rules() for name in re.findall(r"(?<![:\w])answerback_\w+", rule["expr"])}
    assert asked <= set(SERIES)
