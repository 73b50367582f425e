"""deploy/grafana: the dashboard queries existing series, and all of them."""

import json
import re
from itertools import pairwise
from typing import Any

from answerback.metrics.families import FAMILIES
from tests.deploy.series import SERIES
from tools import dashboard
from tools.dashboard_queries import WIDTH

FOUND: dict[str, Any] = json.loads(dashboard.DASHBOARD.read_text())
PANELS = [panel for panel in FOUND["panels"] if panel["type"] != "row"]
EXPRESSIONS = [
    *(target["expr"] for panel in PANELS for target in panel["targets"]),
    *(each["expr"] for each in FOUND["annotations"]["list"]),
]
METRIC = re.compile(r"answerback_\w+")


def test_dashboard_file_is_up_to_date() -> None:
    assert dashboard.DASHBOARD.read_text() == dashboard.text(), "run `make proto`"


def test_dashboard_uses_only_existing_metrics() -> None:
    variables = [each.get("query", {}) for each in FOUND["templating"]["list"] if each["type"] == "query"]
    asked = {name for text in [*EXPRESSIONS, *(each["query"] for each in variables)] for name in METRIC.findall(text)}
    assert asked <= set(SERIES)


def test_dashboard_shows_each_metric_family() -> None:
    shown = {SERIES[name] for text in EXPRESSIONS for name in METRIC.findall(text)}
    assert {family.name for family in FAMILIES} - shown == set()


def test_dashboard_panels_have_unique_ids_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in FOUND["panels"]}) == len(FOUND["panels"])
    places = [panel["gridPos"] for panel in FOUND["panels"]]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in pairwise(places):
        assert other["y"] >= one["y"] + one["h"] or other["x"] >= one["x"] + one["w"]
