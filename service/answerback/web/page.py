"""The status page at `/`: what this server is, its state, and links."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Final

from answerback import __version__
from answerback.supervisor.status import ListenerStatus, Status

# Rule: text becomes markup only in `tag` and `page`, which escape it; only Markup is passed unescaped.
# Rule: the page loads nothing: no scripts, no fonts, no images.


class Markup(str):
    """A string of HTML."""

    __slots__ = ()


STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: bold; padding: 1rem 0 .25rem; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid GrayText; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
"""

LINKS: Final = (
    ("/metrics", "metrics for Prometheus"),
    ("/readyz", "readiness"),
    ("/healthz", "liveness"),
)


def tag(name: str, *content: str, **attributes: str) -> Markup:
    """Return an element; content and attributes are escaped, unless they are Markup."""
    inner = "".join(part if isinstance(part, Markup) else escape(part) for part in content)
    head = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{head}>{inner}</{name}>")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str | int]]) -> Markup:
    """Return a table; numbers are right-aligned."""
    body = [tag("tr", *(_cell(value) for value in values)) for values in rows]
    columns = tag("tr", *(tag("th", head, scope="col") for head in heads))
    return tag("table", tag("caption", caption), tag("thead", columns), tag("tbody", *body))


def page(status: Status, start_time: datetime) -> str:
    """Return the whole page; `start_time` (UTC) is that of the program."""
    state = f"{status.state.value}: {status.reason}" if status.reason else status.state.value
    since = start_time.strftime("%Y-%m-%d %H:%M:%S UTC")
    workers = [(w.index, str(w.pid or "none"), w.revision, w.restarts) for w in status.workers]
    body = tag(
        "body",
        tag("h1", "Answerback"),
        tag("p", "A programmable TCP server."),
        tag("p", "State: ", tag("strong", state)),
        tag("p", f"Version {__version__}, configuration revision {status.revision}, up since {since}."),
        *(tag("p", "Configuration file: ", tag("strong", text)) for text in _refusals(status)),
        table(
            "Listeners",
            ("name", "address", "engine", "mode", "accepted", "open", "requests", "unmatched"),
            map(_listener, status.listeners),
        ),
        table("Workers", ("worker", "process", "revision", "restarts"), workers),
        tag("h2", "More"),
        tag("ul", *(tag("li", tag("a", path, href=path), f": {what}") for path, what in LINKS)),
    )
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", "Answerback"),
        tag("style", Markup(STYLE)),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _refusals(status: Status) -> Sequence[str]:
    return (status.file.rejection,) if status.file and status.file.problems else ()


def _listener(listener: ListenerStatus) -> Sequence[str | int]:
    counts = listener.counts
    words = (listener.name, listener.address, listener.engine.value, listener.accept.value)
    return *words, counts.accepted, counts.open, counts.requests, counts.unmatched


def _cell(value: str | int) -> Markup:
    return tag("td", f"{value:,}", class_="number") if isinstance(value, int) else tag("td", value)
