"""`answerback status`."""

import sys
import threading
from typing import Any, Final

import click

from answerback.cli import exchanges, options, output
from answerback.cli.watch import INTERRUPTED

WATCH_SECONDS: Final = 1.0
PAUSE: Final = threading.Event()  # never set: a wait that SIGINT interrupts
LISTENS: Final = "DRAIN_STATE_UNSPECIFIED"


@click.command(
    "status",
    short_help="Print the status of the server.",
    epilog="""\b
Examples:
  answerback status
  answerback status -o json | jq .listeners[].connections_open
  answerback status --watch
  answerback status --server unix:/run/answerback.sock""",
)
@click.option("--watch", is_flag=True, help="Print it again every second, until interrupted.")
@options.output("table", "json", "yaml")
@options.server
def command(watch: bool, form: str, server: str, timeout: float) -> None:
    """Print the status of a running server: its listeners, workers and last changes."""
    from answerback.cli.client import connected

    try:
        with connected(server, timeout) as client:
            while True:
                status = output.plain(client.get_status())
                unmatched = any(one["requests_unmatched"] for one in status["listeners"])
                last = client.last_unmatched() if unmatched else None
                if last is not None and form != "table":
                    status["last_unmatched"] = exchanges.as_data(last)
                if watch and sys.stdout.isatty():
                    click.clear()
                if form == "table":
                    _tables(status, last)
                elif watch and form == "json":
                    output.line(output.as_json(status))
                else:
                    output.write(status, form)
                if not watch:
                    return
                sys.stdout.flush()
                PAUSE.wait(WATCH_SECONDS)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


def _tables(status: dict[str, Any], last_unmatched: Any) -> None:
    from answerback.cli.output import moment, table

    reason = f": {status['reason']}" if status["reason"] else ""
    output.line(f"Answerback {status['version']}  {_word(status['state'], 'STATE_')}{reason}")
    output.line(f"revision {status['revision']} (etag {status['etag']}), up since {moment(status.get('start_time'))}")
    output.line()
    table(
        ("LISTENER", "ADDRESS", "ENGINE", "MODE", "ACCEPTED", "OPEN", "REQUESTS", "UNMATCHED"),
        (
            (
                *(one["name"], one["address"], _word(one["engine"], "ENGINE_")),
                _word(one["drain"], "DRAIN_STATE_") if one["drain"] != LISTENS else _word(one["accept"], "ACCEPT_"),
                *(one["connections_accepted"], one["connections_open"], one["requests"], one["requests_unmatched"]),
            )
            for one in status["listeners"]
        ),
    )
    output.line()
    table(
        ("WORKER", "PID", "REVISION", "RESTARTS", "SINCE"),
        (
            (one["index"], one["pid"], one["revision"], one["restarts"], moment(one.get("start_time")))
            for one in status["workers"]
        ),
    )
    output.line()
    if status["signals"]:
        table(("SIGNAL", "WAITING", "KEPT"), ((one["name"], one["waiting"], one["kept"]) for one in status["signals"]))
        output.line()
    _change("applied", status.get("last_applied"))
    _change("rejected", status.get("last_rejected"))
    _file(status.get("config_file"))
    if last_unmatched is not None:
        _unmatched(last_unmatched)


def _change(name: str, change: dict[str, Any] | None) -> None:
    if change is None:
        return
    comment = f": {change['comment']}" if change["comment"] else ""
    output.line(f"last {name}  {output.moment(change.get('time'))}  from {change['origin']}{comment}")
    for problem in change["problems"]:
        output.line(f"  {_problem(problem)}")


def _file(file: dict[str, Any] | None) -> None:
    if file is not None:
        how = "watched" if file["watched"] else "reloaded on SIGHUP"
        state = "rejected" if file["problems"] else "applied"
        since = f"; the active configuration differs since revision {file['differs_since']}"
        output.line(f"config file   {file['path']} ({how}): {state}{since if file['differs_since'] else ''}")


def _problem(problem: dict[str, Any]) -> str:
    place = f"{problem['line']}:{problem['column']}: " if "line" in problem else ""
    return f"{place}{problem['path']}: {problem['message']}" if problem["path"] else f"{place}{problem['message']}"


def _unmatched(exchange: Any) -> None:
    """The last request that no rule matched, and why the nearest rule did not."""
    from answerback.core.escapes import quote

    why = exchange.mismatch or "no rule matches"
    when = output.moment(exchange.time.ToJsonString())
    output.line(f"last unmatched  {when}  {exchange.listener}  {quote(exchange.request.data)}: {why}")


def _word(name: str | int, prefix: str) -> str:
    return str(name).removeprefix(prefix)
