"""`answerback status`."""

from typing import Any, Final

import click

from answerback.cli import options, output

LISTENS: Final = "DRAIN_STATE_UNSPECIFIED"


@click.command(
    "status",
    short_help="Print the status of the server.",
    epilog="""\b
Examples:
  answerback status
  answerback status -o json | jq .listeners[].connections_open
  answerback status --server unix:/run/answerback.sock""",
)
@options.output("table", "json", "yaml")
@options.server
def command(form: str, server: str, timeout: float) -> None:
    """Print the status of a running server: its listeners, workers and last changes."""
    from answerback.cli.client import connected

    with connected(server, timeout) as client:
        status = client.get_status()
    if form == "table":
        _tables(output.plain(status))
    else:
        output.write(output.plain(status), form)


def _tables(status: dict[str, Any]) -> None:
    from answerback.cli.output import moment, table

    reason = f": {status['reason']}" if status["reason"] else ""
    output.line(f"Answerback {status['version']}  {_word(status['state'], 'STATE_')}{reason}")
    output.line(f"revision {status['revision']} (etag {status['etag']}), up since {moment(status.get('start_time'))}")
    output.line()
    table(
        ("LISTENER", "ADDRESS", "ENGINE", "MODE", "ACCEPTED", "OPEN", "REQUESTS"),
        (
            (
                *(one["name"], one["address"], _word(one["engine"], "ENGINE_")),
                _word(one["drain"], "DRAIN_STATE_") if one["drain"] != LISTENS else _word(one["accept"], "ACCEPT_"),
                *(one["connections_accepted"], one["connections_open"], one["requests"]),
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
    _change("applied", status.get("last_applied"))
    _change("rejected", status.get("last_rejected"))
    _file(status.get("config_file"))


def _change(name: str, change: dict[str, Any] | None) -> None:
    if change is None:
        return
    comment = f": {change['comment']}" if change["comment"] else ""
    output.line(f"last {name}  {output.moment(change.get('time'))}  from {change['origin']}{comment}")
    for problem in change["problems"]:
        output.line(f"  {problem['path']}: {problem['message']}")


def _file(file: dict[str, Any] | None) -> None:
    if file is not None:
        how = "watched" if file["watched"] else "reloaded on SIGHUP"
        state = "rejected" if file["problems"] else "applied"
        output.line(f"config file   {file['path']} ({how}): {state}")


def _word(name: str | int, prefix: str) -> str:
    return str(name).removeprefix(prefix)
