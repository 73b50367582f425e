"""`answerback watch`."""

from typing import Any

import click

from answerback.cli import options

INTERRUPTED = 130  # as a shell says of what SIGINT has ended


@click.command(
    "watch",
    short_help="Print each change of the configuration as it happens.",
    epilog="""\b
Examples:
  answerback watch
  answerback watch -o json | jq --unbuffered .revision.config
  answerback watch --after 5f0c2a9be1d4-3     # continue where another watch ended""",
)
@click.option("--after", default="", metavar="ETAG", help="Start after this revision instead of with the active one.")
@options.output("table", "json")
@options.endpoint
def command(after: str, form: str, server: str) -> None:
    """Print one line for the active revision and one for each later revision, until interrupted.

    With `-o json`, each line is an object with the configuration, its etag, and `skipped`: the number of revisions
    before it that were no longer stored.
    """
    from answerback.cli import output
    from answerback.cli.client import connected

    try:
        with connected(server) as client:
            for answer in client.watch_config(after):
                data = output.plain(answer)
                output.line(output.as_json(data) if form == "json" else _line(data))
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


def _line(seen: dict[str, Any]) -> str:
    from answerback.cli.output import moment, origin

    revision, skipped = seen["revision"], seen["skipped"]
    comment = f": {revision['comment']}" if revision["comment"] else ""
    missed = f"({skipped} earlier revision{'s' * (skipped != 1)} no longer stored)  " if skipped else ""
    when, number = moment(revision.get("time")), revision["number"]
    return f"{when}  {missed}revision {number} (etag {revision['etag']}) from {origin(revision)}{comment}"
