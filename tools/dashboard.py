"""Write the dashboard deploy/grafana/answerback.json: `python -m tools.dashboard`."""

# Rule: nothing but what differs between panels is said here; Grafana's defaults say the rest.

import json
import sys
from typing import Any, Final

from tools.dashboard_queries import WHERE, WIDTH, Panel, Query
from tools.dashboard_rows import ROWS
from tools.proto import ROOT

DASHBOARD: Final = ROOT / "deploy" / "grafana" / "answerback.json"
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
STAT_HEIGHT: Final = 4
HEIGHT: Final = 8

Json = dict[str, Any]
ANNOTATIONS: Final = (
    ("Applied", "green", "answerback_config_last_applied_timestamp_seconds"),
    ("Refused", "red", "answerback_config_last_rejected_timestamp_seconds"),
)
VARIABLES: Final = (
    ("job", "label_values(answerback_build_info, job)"),
    ("instance", 'label_values(answerback_build_info{job=~"$job"}, instance)'),
    ("listener", f"label_values(answerback_connections_open{{{WHERE}}}, listener)"),
)


def target(number: int, query: Query) -> Json:
    """A query, as Grafana keeps it."""
    found: Json = {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": query.expr}
    found["legendFormat"] = query.legend or "__auto"
    return found | ({"format": "heatmap"} if query.heat else {})


def drawn(panel: Panel, number: int, x: int, y: int, height: int) -> Json:
    """A panel, as Grafana keeps it."""
    custom: Json = {"fillOpacity": 10, "showPoints": "never"}
    if panel.stacked:
        custom |= {"fillOpacity": 40, "stacking": {"mode": "normal"}}
    options: Json = {"tooltip": {"mode": "multi", "sort": "desc"}} if panel.kind == "timeseries" else {}
    if panel.kind == "heatmap":
        options = {"calculate": False, "yAxis": {"unit": panel.unit}, "color": {"scheme": "Spectral"}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.note,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": height},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": custom if panel.kind == "timeseries" else {}},
            "overrides": [],
        },
        "options": options,
        "targets": [target(at, query) for at, query in enumerate(panel.queries)],
    }


def panels() -> list[Json]:
    """All rows and panels, laid out from the left to the right and from the top down."""
    found: list[Json] = []
    y = 0
    for row in ROWS:
        found.append({
            "id": len(found) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
        })  # fmt: skip
        x, y = 0, y + 1
        height = STAT_HEIGHT if row.panels[0].kind == "stat" else HEIGHT
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            found.append(drawn(panel, len(found) + 1, x, y, height))
            x += panel.width
        y += height
    return found


def annotation(name: str, colour: str, metric: str) -> Json:
    """A mark where a configuration was applied or refused: where the time that the metric gives is now."""
    return {
        "name": f"Configuration {name.lower()}",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": colour,
        "expr": f"{metric}{{{WHERE}}} * 1000",
        "useValueForTime": True,
        "titleFormat": f"{name} on {{{{instance}}}}",
    }


def variable(name: str, query: str) -> Json:
    """A choice at the top of the dashboard, of what there is."""
    return {
        "name": name, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name},
        "refresh": 2, "multi": True, "includeAll": True, "current": {"text": "All", "value": "$__all"}, "sort": 1,
    }  # fmt: skip


def dashboard() -> Json:
    """The whole, as Grafana imports it."""
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "title": "Answerback",
        "uid": "answerback",
        "tags": ["answerback"],
        "schemaVersion": 41,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "browser",
        "graphTooltip": 1,
        "templating": {"list": [source, *(variable(*each) for each in VARIABLES)]},
        "annotations": {"list": [annotation(*each) for each in ANNOTATIONS]},
        "panels": panels(),
    }


def text() -> str:
    """The content of the file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(text())
    sys.stdout.write(f"written: {DASHBOARD.relative_to(ROOT)}\n")
