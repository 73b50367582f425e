"""`answerback verify`."""

from typing import Any, Final

import click

from answerback.cli import exchanges, options, output, source

# Rule: 0 it holds, 1 it does not, 2 a wrong usage or no server, 3 the journal has dropped what would decide it.

EXITS: Final = {"HOLDS": 0, "FAILS": 1, "UNKNOWN": 3}
COUNTS: Final = ("exactly", "at_least", "at_most")


@click.command(
    "verify",
    short_help="Check which requests the server has received.",
    epilog="""\b
Examples:
  answerback verify --listener smtp --prefix "RCPT TO:" --exactly 2
  answerback verify --listener redis --equals FLUSHALL --never
  answerback verify --listener web --all-rules-used

\b
Exit status:
  0  it holds
  1  it does not hold
  2  wrong usage, or no server
  3  unknown: the journal has dropped exchanges that might decide it""",
)
@exchanges.chosen
@click.option("--exactly", type=click.IntRange(0), metavar="N", help="This number of exchanges must match.")
@click.option("--at-least", type=click.IntRange(0), metavar="N", help="This number or more. Default: 1.")
@click.option("--at-most", type=click.IntRange(0), metavar="N", help="This number or fewer.")
@click.option("--never", is_flag=True, help="None may match.")
@click.option("--all-rules-used", is_flag=True, help="Also require that each rule on requests has matched.")
@options.output("table", "json")
@options.server
def command(form: str, server: str, timeout: float, **given: Any) -> None:
    """Compare the requests in the journal with an expectation, and show the nearest ones if it does not hold."""
    from answerback.cli.client import connected
    from answerback.v1 import journal_service_pb2 as pb

    wanted = exchanges.filter_of(given)
    counts = {name: given[name] for name in COUNTS if given[name] is not None} | (
        {"never": True} if given["never"] else {}
    )
    if len(counts) > 1:
        raise click.UsageError("--exactly, --at-least, --at-most and --never exclude each other")
    request = pb.VerifyExchangesRequest(filter=wanted, all_rules_used=given["all_rules_used"], **counts)
    try:
        with connected(server, timeout) as client:
            verified = client.verify_exchanges(request)
    except click.ClickException as error:
        raise source.NoAnswer(error.message) from None
    outcome = output.word(pb.Outcome, verified.outcome, "OUTCOME_")
    if form == "json":
        data = output.plain(verified)
        data["outcome"] = outcome.lower()
        data["exchanges"] = [exchanges.as_data(each) for each in verified.exchanges]
        data["nearest"] = [{"why": each.why} | exchanges.as_data(each.exchange) for each in verified.nearest]
        output.line(output.as_json(data))
    else:
        output.line(f"{outcome.lower()}: {verified.text}")
        for each in verified.nearest if outcome != "HOLDS" else ():
            output.line(f"  nearest: {each.why}")
            output.line(f"    {exchanges.as_line(each.exchange)}")
    raise click.exceptions.Exit(EXITS.get(outcome, 3))
