"""`answerback resume`."""

import click

from answerback.cli import options


@click.command(
    "resume",
    short_help="Listen again after a drain.",
    epilog="""\b
Examples:
  answerback resume
  answerback resume --listener smtp""",
)
@click.option("--listener", default="", metavar="NAME", help="Resume only this listener.")
@options.output("table", "json", "yaml")
@options.server
def command(listener: str, form: str, server: str, timeout: float) -> None:
    """End a drain, even one in progress, and listen again. Connections not yet closed by the drain stay open."""
    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.v1.operations_service_pb2 import ResumeRequest

    with connected(server, timeout) as client:
        answer = client.resume(ResumeRequest(listener=listener))
    if form == "table":
        output.line(
            f"listening again: {', '.join(answer.listeners)}" if answer.listeners else "no listener was drained"
        )
    else:
        output.write(output.plain(answer), form)
