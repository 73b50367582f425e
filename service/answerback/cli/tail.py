"""`answerback tail`."""

import sys
from typing import Any

import click

from answerback.cli import exchanges, options, output
from answerback.cli.watch import INTERRUPTED


@click.command(
    "tail",
    short_help="Print requests and replies as they happen.",
    epilog="""\b
Examples:
  answerback tail
  answerback tail --listener smtp --events
  answerback tail -o json | jq --unbuffered -r .request.text""",
)
@exchanges.chosen
@click.option("--events", is_flag=True, help="Also print answers to other events and ends of connections.")
@click.option("--lines", is_flag=True, help="Print each exchange in one line.")
@options.output("table", "json")
@options.endpoint
def command(events: bool, lines: bool, form: str, server: str, **given: Any) -> None:
    """Print each exchange when it is complete, as text with hex beside it, until interrupted.

    An exchange that takes longer is printed twice: while it is in progress, and when it is complete.
    """
    from answerback.cli.client import connected

    wanted = exchanges.filter_of(given)
    colours = sys.stdout.isatty()
    try:
        with connected(server) as client:
            for each in client.watch_exchanges(wanted, events=events):
                kind = each.WhichOneof("kind")
                if kind == "lost":
                    output.line(f"{each.lost} exchanges were dropped before they could be printed", err=True)
                elif kind == "exchange" and form == "json":
                    output.line(output.as_json(exchanges.as_data(each.exchange)))
                elif kind == "event" and form == "json":
                    output.line(output.as_json(exchanges.event_data(each.event)))
                elif kind == "event":
                    output.line(exchanges.event_line(each.event), colour="blue" if colours else None)
                elif kind == "exchange" and lines:
                    output.line(exchanges.as_line(each.exchange))
                elif kind == "exchange":
                    for line, colour in exchanges.dump(each.exchange):
                        output.line(line, colour=colour if colours else None)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
