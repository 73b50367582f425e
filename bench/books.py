"""Check that Answerback's counters balance after the load: accepted = closed + open."""

# Rule: read from /metrics, as any client can.

import re
from collections.abc import Iterable

from bench.server import CouldNotRun, Server
from bench.startup import scrape

_SAMPLE = re.compile(r"^answerback_connections_(accepted_total|closed_total|open)(?:\{[^}]*\})? (\S+)", re.MULTILINE)


def astray(exposition: str) -> float | None:
    """Return how many connections are in no book, or in two; None if the families are missing."""
    sums = {"accepted_total": 0.0, "closed_total": 0.0, "open": 0.0}
    seen = set()
    for family, value in _SAMPLE.findall(exposition):
        sums[family] += float(value)
        seen.add(family)
    if seen != set(sums):
        return None
    return abs(sums["accepted_total"] - sums["closed_total"] - sums["open"])


def read_books(servers: Iterable[Server]) -> float | None:
    """Return the greatest imbalance among Answerback's servers, or None if one cannot be read."""
    found = []
    for server in servers:
        try:
            connections = astray(scrape(server.metrics_port))
        except (OSError, CouldNotRun):
            return None
        if connections is None:
            return None
        found.append(connections)
    return max(found, default=None)
