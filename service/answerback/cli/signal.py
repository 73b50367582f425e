"""`answerback signal`."""

import click

from answerback.cli import options


@click.command(
    "signal",
    short_help="Give a signal that scripts wait for.",
    epilog="""\b
Examples:
  answerback signal go
  answerback signal go --count 10                            # for ten connections
  answerback status -o json | jq .signals                    # who waits for what""",
)
@click.argument("name")
@click.option(
    "--count", metavar="NUMBER", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many times."
)
@options.output("table", "json", "yaml")
@options.server
def command(name: str, count: int, form: str, server: str, timeout: float) -> None:
    """Give the signal NAME, as the step `signal` does: it ends the longest `wait` for it.

    If no connection waits, the signal is kept for the next one that does. NAME has to be one that a step `wait` or
    `signal` of the active configuration names.
    """
    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.v1.operations_service_pb2 import SignalRequest

    with connected(server, timeout) as client:
        answer = client.signal(SignalRequest(name=name, count=count))
    if form == "table":
        output.line(f"{answer.woken} waiting connection{'s' if answer.woken != 1 else ''} woken, {answer.kept} kept")
    else:
        output.write(output.plain(answer), form)
