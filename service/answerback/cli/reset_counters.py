"""`answerback reset-counters`."""

import click

from answerback.cli import options


@click.command(
    "reset-counters",
    short_help="Reset the counters of rules and faults.",
    epilog="""\b
Examples:
  answerback reset-counters                                  # between two tests
  answerback reset-counters --listener smtp
  answerback reset-counters --listener smtp --rule busy""",
)
@click.option("--listener", default="", metavar="NAME", help="Reset only this listener.")
@click.option("--rule", default="", metavar="NAME", help="Reset only this rule; `rules[N]` if it has no name.")
@click.option("--fault", default="", metavar="NAME", help="Reset only this fault; `faults[N]` if it has no name.")
@options.output("table", "json", "yaml")
@options.server
def command(listener: str, rule: str, fault: str, form: str, server: str, timeout: float) -> None:
    """Reset the counters of rules and faults: `times`, the position in `replies`, `skip`, `every`.

    A window (`per`) ends. Without --rule and --fault, `connection.number` starts again from 1, too; that is not one of
    the counters that are reported. All of them restart at the same moment. Counters with `scope: CONNECTION` and the
    metrics are not reset.
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
