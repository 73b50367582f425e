"""`answerback restart`."""

import click

from answerback.cli import options


@click.command(
    "restart",
    short_help="Replace the workers one by one.",
    epilog="""\b
Examples:
  answerback restart
  answerback restart --over 30s       # no storm of clients that come back
  answerback restart -o json | jq --unbuffered .worker""",
)
@click.option(
    "--over",
    type=options.Duration(),
    default="1s",
    show_default=True,
    metavar="TIME",
    help="In which time each worker closes its connections, spread evenly.",
)
@click.option(
    "--grace",
    type=options.Duration(),
    metavar="TIME",
    show_default="that of `serve`",
    help="How long replies in progress may take after that; then they are reset.",
)
@options.output("table", "json")
@options.endpoint
def command(over: float, grace: float | None, form: str, server: str) -> None:
    """Replace the worker processes one by one, and print a line for each step.

    A successor serves before a worker stops accepting, on the same sockets, so every client that
    connects is served. Open connections have --over and --grace to finish; then they are reset. Interrupting this
    command does not interrupt the restart.
    """
    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.v1.operations_service_pb2 import RestartWorkersRequest

    request = RestartWorkersRequest(over=options.duration(over))
    if grace is not None:
        request.grace.CopyFrom(options.duration(grace))
    with connected(server) as client:
        for step in client.restart_workers(request):
            data = output.plain(step)
            output.line(output.as_json(data) if form == "json" else _line(**data))


def _line(worker: int, step: str | int, pid: int, connections: int) -> str:
    if step == "RESTART_STEP_REPLACED":
        return f"worker {worker}: process {pid} serves; {connections} connections of the former one are to be closed"
    return f"worker {worker}: restarted" + (f"; {connections} connections were cut off" if connections else "")
