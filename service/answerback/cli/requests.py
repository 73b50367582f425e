"""`answerback requests`."""

from typing import Any

import click

from answerback.cli import exchanges, options, output


@click.command(
    "requests",
    short_help="List the requests in the journal, and their replies.",
    epilog="""\b
Examples:
  answerback requests --limit 20
  answerback requests --listener redis --prefix SET -o json | jq -r .request.text
  answerback requests --unmatched
  MARK=$(answerback requests --mark); ./client; answerback requests --since "$MARK\"""",
)
@exchanges.chosen
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the newest N.")
@click.option("--events", is_flag=True, help="Also list answers to other events and ends of connections.")
@click.option("--mark", "only_mark", is_flag=True, help="Only print a mark of this moment, for --since.")
@options.output("table", "json")
@options.server
def command(
    limit: int | None, events: bool, only_mark: bool, form: str, server: str, timeout: float, **given: Any
) -> None:
    """List what clients sent and what they were answered, oldest first; each exchange in one line.

    With `-o json`, each line is an object; bytes are {"text": ...} or {"hex": ...}.
    """
    from answerback.cli.client import connected

    wanted = exchanges.filter_of(given)
    with connected(server, timeout) as client:
        if only_mark:
            output.line(client.create_mark())
            return
        for exchange in client.list_exchanges(wanted, limit):
            output.line(output.as_json(exchanges.as_data(exchange)) if form == "json" else exchanges.as_line(exchange))
        if events:
            for event in client.list_events(wanted, limit):
                output.line(
                    output.as_json(exchanges.event_data(event)) if form == "json" else exchanges.event_line(event)
                )
