"""`answerback restart`."""

import click

from answerback.cli import options


@click.command(
    "restart",
    short_help="Restart the workers one by one.",
    epilog="""\b
Examples:
  answerback restart
  answerback restart --over 30s       # so that clients do not all reconnect at once
  answerback restart -o json | jq --unbuffered .worker""",
)
@click.option(
    "--over",
    type=options.Duration(),
    default="1s",
    show_default=True,
    metavar="TIME",
    help="Each worker closes its connections evenly over this time.",
)
@options.grace
@options.output("table", "json")
@options.endpoint
def command(over: float, grace: float | None, form: str, server: str) -> None:
    """Restart the worker processes one by one, and print a line for each step.

    Each new worker accepts connections on the same sockets before the old one stops, so no connection is refused.
    Open connections have --over and --grace to finish; then they are reset. Interrupting the command does not stop the
    restart.
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
        return f"worker {worker}: replaced by process {pid}; the old process still has {connections} connections"
    return f"worker {worker}: restarted" + (f"; {connections} connections were reset" if connections else "")
