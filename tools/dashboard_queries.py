"""What a dashboard is made of: queries, and the panels and rows that show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WHERE: Final = 'job=~"$job",instance=~"$instance"'
LISTENER: Final = f'{WHERE},listener=~"$listener"'
WIDTH: Final = 24  # of Grafana's grid


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


def quantile(share: float, histogram: str = "request_duration_seconds_bucket") -> Query:
    """Within what time this share of the requests was answered, or of what another histogram measures."""
    return Query(f"histogram_quantile({share}, {rate(histogram, 'le').expr})", f"p{100 * share:g}")


def stat(title: str, query: Query, unit: str = "none", note: str = "") -> Panel:
    """One number."""
    return Panel(title, [query], unit, "stat", WIDTH // 6, note)
