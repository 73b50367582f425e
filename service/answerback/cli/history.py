"""`answerback history`."""

from itertools import islice

import click

from answerback.cli import options


@click.command(
    "history",
    short_help="List the revisions of the configuration.",
    epilog="""\b
Examples:
  answerback history
  answerback history --limit 0                          # all revisions
  answerback history -o json | jq .revisions[].comment
  answerback show --revision 3                          # an earlier revision""",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    metavar="N",
    help="Maximum number of revisions; 0 for all.",
)
@options.output("table", "json", "yaml")
@options.server
def command(limit: int, form: str, server: str, timeout: float) -> None:
    """List the stored revisions of the configuration, newest first.

    Without `serve --state`, the history is lost when the server stops.
    """
    from answerback.cli import output
    from answerback.cli.client import connected

    with connected(server, timeout) as client:
        revisions = [output.plain(each) for each in islice(client.list_revisions(), limit or None)]
    if form == "table":
        output.table(
            ("REVISION", "TIME", "ORIGIN", "COMMENT"),
            ((one["number"], output.moment(one.get("time")), output.origin(one), one["comment"]) for one in revisions),
        )
    else:
        output.write({"revisions": revisions}, form)
