"""`answerback watch`."""

from typing import Any

import click

from answerback.cli import options

INTERRUPTED = 130  # as a shell says of what SIGINT has ended


@click.command(
    "watch",
    short_help="Print every change of the configuration as it comes.",
    epilog="""\b
Examples:
  answerback watch
  answerback watch -o json | jq --unbuffered .revision.config
  answerback watch --after 5f0c2a9be1d4-3     # go on where another one ended""",
)
@click.option("--after", default="", metavar="ETAG", help="Begin after this revision, not with the one in force.")
@options.output("table", "json")
@options.endpoint
def command(after: str, form: str, server: str) -> None:
    """Print a line for the configuration in force, and for every one that comes after it, until interrupted.

    With `-o json`, each line is an object with the whole configuration, its etag, and how many revisions were `skipped`
    because they were no longer kept.
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
    missed = f"({skipped} before it {'is' if skipped == 1 else 'are'} no longer kept)  " if skipped else ""
    when, number = moment(revision.get("time")), revision["number"]
    return f"{when}  {missed}revision {number} (etag {revision['etag']}) from {origin(revision)}{comment}"
