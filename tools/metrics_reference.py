"""Write docs/reference/metrics.md from the table of metric families; `python -m tools.metrics_reference`."""

# Rule: a family's help, the explanation of a label's value and the bounds of the histogram stand in the code alone.

from collections.abc import Iterable, Iterator
from typing import Final

from answerback.core.actions import CloseReason
from answerback.metrics.families import PREFIX, SECTIONS
from answerback.metrics.samples import Family
from answerback.shared.listener_counters import ACCEPT_ERRORS, DURATION_BOUNDS, REJECTIONS, UPSTREAM_ERRORS
from tools import proto

PAGE: Final = proto.ROOT / "docs" / "reference" / "metrics.md"
HEAD: Final = """# Metrics

<!-- Written by `make proto` from metrics/*_families.py and tools/metrics_reference.py: change those. -->

Answerback serves its metrics at `/metrics` of the `--metrics` address (default `127.0.0.1:9464`), in the Prometheus
text format, or as OpenMetrics 1.0 if the scraper asks for it.

The counters cover the whole server, whichever worker served a connection, and survive a worker: if a worker is
killed, its counts are kept, and its open connections are closed with the reason `worker_crashed`. Counters begin at 0
when `answerback serve` starts. Every series is exposed from the start, with 0; those of
upstreams only for listeners that have or had one. No label contains data that a peer
sent.

When a change removes a listener, a rule or a fault, its series are exposed for 10 more minutes, so that every scraper
reads the last counts. The series of a removed listener are exposed until 10 minutes after the last scrape that saw a
connection of it open. If the name is used again later, its counters continue from the old values, so `rate()` sees no
reset. Sums over rules do not include series that are no longer exposed.

Scrapes that arrive while another scrape is rendered share the next render. A scrape that its client has aborted is
not rendered; if no other scrape needs it, a render in progress stops.

## Accounting

While no connection opens or closes, this holds for every listener:

```promql
answerback_connections_accepted_total
  == sum without (reason) (answerback_connections_closed_total) + answerback_connections_open
```

The three are counted independently of each other, so a difference deserves an alert. On a listener with
`proxy_protocol`, open connections whose header has not arrived (`answerback_connections_awaiting_header`) are to be
added to the accepted ones. Under load, the two sides of one
scrape may differ by the connections that opened or closed while it was read.

For a listener with an upstream, `answerback_upstream_connect_errors_total` over all errnos is the number of connections
closed as `upstream_down`. Bytes pass unchanged: the difference between the bytes read from one side and those sent to
the other side was held when a connection was reset.
"""
PROCESS: Final = """In addition, `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` and
the other process metrics of the Prometheus client library are exposed. They describe the supervisor, not its workers.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *sections(), PROCESS, *values(), histogram()])


def sections() -> Iterator[str]:
    """Yield a table of families for each section."""
    for title, families in SECTIONS.items():
        yield f"## {title}\n"
        yield from table(("family", "type", "labels", "meaning"), map(row, families))


def row(family: Family) -> tuple[str, ...]:
    """Return a family's cells."""
    labels = ", ".join(f"`{label}`" for label in family.labels) or "–"
    return f"`{PREFIX}{family.name}`", family.kind.value, labels, family.help


def values() -> Iterator[str]:
    """Yield a table of values for each label that has a fixed set of them."""
    reasons = {reason.label: reason.explanation for reason in CloseReason}
    yield from explained("Why a connection was closed", "reason", "connections_closed_total", reasons)
    yield from explained("Why a connection was rejected", "reason", "connections_rejected_total", REJECTIONS)
    yield from explained("Why accepting failed", "errno", "accept_errors_total", ACCEPT_ERRORS)
    yield from explained(
        "Why an upstream could not be reached", "errno", "upstream_connect_errors_total", UPSTREAM_ERRORS
    )


def explained(title: str, label: str, family: str, meanings: dict[str, str]) -> Iterator[str]:
    """Yield the values of one label of a family."""
    yield f"## {title}\n\nThe values of `{label}` in `{PREFIX}{family}`:\n"
    yield from table((label, "what happened"), ((f"`{value}`", meaning) for value, meaning in meanings.items()))


def histogram() -> str:
    """Return the section about the bounds of the histogram."""
    bounds = ", ".join(f"{bound:g}" if bound >= 0.0001 else f"{bound:.5f}" for bound in DURATION_BOUNDS)
    return f"""## The histogram

The upper bounds of `{PREFIX}request_duration_seconds` and `{PREFIX}upstream_connect_duration_seconds`, in seconds:
{bounds}.

A duration includes the delays added by rules and faults, which are also counted separately in
`{PREFIX}injected_delay_seconds_total`. Faults of a listener with an `upstream` hold bytes before they are requests, and
after they are replies: that time is not in it.

Of a request that is forwarded, the duration includes the time of the upstream and ends with its reply if
`upstream.framing` is set. Without it nothing is known of replies, and the duration ends when the request was handed to
the kernel, for the upstream. A request that the upstream never answers has no duration.
"""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table, and an empty one."""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for cells in rows:
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
