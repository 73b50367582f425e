"""Write the dashboard deploy/grafana/answerback.json: `python -m tools.dashboard`."""

# Rule: every metric family stands on a panel: what is not worth a look is not worth a metric.
# Rule: nothing but what differs between panels is said here; Grafana's defaults say the rest.

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tools.proto import ROOT

DASHBOARD: Final = ROOT / "deploy" / "grafana" / "answerback.json"
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
WHERE: Final = 'job=~"$job",instance=~"$instance"'
LISTENER: Final = f'{WHERE},listener=~"$listener"'
WIDTH: Final = 24  # of Grafana's grid
STAT_HEIGHT: Final = 4
HEIGHT: Final = 8

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how its series are called."""

    expr: str
    legend: str = ""
    heat: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture. `unit` is Grafana's name of it."""

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    note: str = ""
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


def legend(by: Sequence[str], what: str) -> str:
    """The labels by which a query tells its series apart, and what it is if there are several queries."""
    return " ".join([*(f"{{{{{label}}}}}" for label in by), *([what] if what else [])])


def rate(metric: str, *by: str, what: str = "") -> Query:
    """How fast a counter of listeners grows, a second."""
    return Query(
        f"sum by ({', '.join(by)}) (rate(answerback_{metric}{{{LISTENER}}}[$__rate_interval]))", legend(by, what)
    )


def growth(metric: str, *by: str, what: str = "") -> Query:
    """By how much a counter of instances has grown."""
    expr = f"sum by ({', '.join(by)}) (increase(answerback_{metric}{{{WHERE}}}[$__rate_interval]))"
    return Query(expr, legend(by, what))


def gauge(metric: str, *by: str, what: str = "", where: str = WHERE, over: str = "max") -> Query:
    """A gauge, the greatest value (or otherwise) by these labels."""
    return Query(f"{over} by ({', '.join(by)}) (answerback_{metric}{{{where}}})", legend(by, what))


def quantile(share: float) -> Query:
    """Within what time this share of the requests was answered."""
    return Query(f"histogram_quantile({share}, {rate(DURATIONS, 'le').expr})", f"p{100 * share:g}")


def stat(title: str, query: Query, unit: str = "none", note: str = "") -> Panel:
    """One number."""
    return Panel(title, [query], unit, "stat", WIDTH // 6, note)


DURATIONS: Final = "request_duration_seconds_bucket"
NOW: Final = Row(
    "Now",
    (
        stat("Ready", gauge("ready", "instance", over="min"), "bool_yes_no"),
        stat("Revision", gauge("config_revision", "instance")),
        stat("Workers", gauge("workers", "instance")),
        stat("Open connections", gauge("connections_open", where=LISTENER, over="sum")),
        stat("Requests a second", rate("requests_total"), "reqps"),
        stat("Version", gauge("build_info", "version", over="count"), note="How many instances run it."),
    ),
)
TRAFFIC: Final = Row(
    "Traffic",
    (
        Panel("Connections accepted", [rate("connections_accepted_total", "listener")], "cps"),
        Panel("Connections open", [gauge("connections_open", "listener", where=LISTENER, over="sum")]),
        Panel("Closes by reason", [rate("connections_closed_total", "reason")], "cps", stacked=True),
        Panel("Requests", [rate("requests_total", "listener")], "reqps"),
        Panel("Replies by rule", [rate("rule_matches_total", "listener", "rule")], "reqps", stacked=True),
        Panel(
            "Bytes",
            [
                rate("received_bytes_total", "listener", what="received"),
                rate("sent_bytes_total", "listener", what="sent"),
            ],
            "Bps",
        ),
    ),
)
LATENCY: Final = Row(
    "Latency: from receipt to the last byte in the kernel",
    (
        Panel("Heat map", [replace(rate(DURATIONS, "le"), heat=True)], "s", "heatmap", 16),
        Panel("Quantiles", [quantile(0.5), quantile(0.9), quantile(0.99)], "s"),
    ),
)
PURPOSE: Final = Row(
    "On purpose, and not answered",
    (
        Panel("Faults applied", [rate("faults_applied_total", "listener", "fault")], "ops"),
        Panel("Injected delay", [rate("injected_delay_seconds_total", "listener")], "s", note="Asked for, a second."),
        Panel(
            "Not answered",
            [
                rate("requests_unmatched_total", "listener", what="unmatched"),
                rate("requests_truncated_total", "listener", what="truncated"),
                rate("connections_without_data_total", "listener", what="said nothing"),
            ],
            "reqps",
        ),
    ),
)
JOURNAL: Final = Row(
    "The journal",
    (
        Panel("Requests in the journal", [gauge("journal_entries", "listener", where=LISTENER, over="sum")], width=12),
        Panel(
            "Requests that left it, or were not recorded",
            [rate("journal_dropped_total", "listener", "reason")],
            "reqps",
            width=12,
            stacked=True,
        ),
    ),
)
TROUBLE: Final = Row(
    "Trouble",
    (
        Panel("Accept errors", [rate("accept_errors_total", "listener", "errno")], "ops"),
        Panel("Turned away for a limit", [rate("connections_rejected_total", "listener", "reason")], "cps"),
        Panel("Exceptions in sessions", [rate("session_errors_total", "listener")], "ops"),
    ),
)
WORKERS: Final = Row(
    "Workers and configuration",
    (
        Panel("Event loop lag", [gauge("worker_event_loop_lag_seconds", "instance", "worker")], "s"),
        Panel(
            "Restarts",
            [
                growth("worker_restarts_total", "instance", "worker"),
                growth("worker_planned_restarts_total", "instance", "worker"),
            ],
        ),
        Panel("Start, exec to first beat", [gauge("worker_startup_duration_seconds", "instance", "worker")], "s"),
        Panel(
            "Active revision, and revision of each worker",
            [gauge("config_revision", "instance"), gauge("worker_config_revision", "instance", "worker")],
            "none",
        ),
        Panel(
            "Configurations applied and refused",
            [
                growth("config_applied_total", "instance", what="applied"),
                growth("config_rejected_total", "instance", what="refused"),
                gauge("config_file_rejected", "instance", what="file is refused"),
            ],
        ),
    ),
)
ROWS: Final = (NOW, TRAFFIC, LATENCY, PURPOSE, JOURNAL, TROUBLE, WORKERS)

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
