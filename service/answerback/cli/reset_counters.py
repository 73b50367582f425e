"""`answerback reset-counters`."""

import click

from answerback.cli import options


@click.command(
    "reset-counters",
    short_help="Have rules and faults count from 0 again.",
    epilog="""\b
Examples:
  answerback reset-counters                                  # between two tests
  answerback reset-counters --listener smtp
  answerback reset-counters --listener smtp --rule busy""",
)
@click.option("--listener", default="", metavar="NAME", help="Those of this listener alone.")
@click.option("--rule", default="", metavar="NAME", help="That of this rule alone, `rules[N]` if it has no name.")
@click.option("--fault", default="", metavar="NAME", help="That of this fault alone, `faults[N]` if it has no name.")
@options.output("table", "json", "yaml")
@options.server
def command(listener: str, rule: str, fault: str, form: str, server: str, timeout: float) -> None:
    """Have rules and faults count from 0 again: `times`, whose turn it is among `replies`, `after`, `first`, `every`.

    All of them begin anew at one moment. What connections count for themselves and the metrics stay as they are.
    """
    if (rule or fault) and not listener:
        raise click.UsageError("--rule and --fault need --listener")
    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.v1.operations_service_pb2 import ResetCountersRequest

    with connected(server, timeout) as client:
        answer = client.reset_counters(ResetCountersRequest(listener=listener, rule=rule, fault=fault))
    if form == "table":
        output.line(f"{answer.counters} counter{'s' if answer.counters != 1 else ''} reset")
    else:
        output.write(output.plain(answer), form)
