"""`answerback drain`."""

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from answerback.cli import options, output

if TYPE_CHECKING:
    from answerback.v1.operations_service_pb2 import DrainResponse


@click.command(
    "drain",
    short_help="Stop accepting and close open connections gradually.",
    epilog="""\b
Examples:
  answerback drain --over 30s               # so that clients do not all reconnect at once
  answerback drain --listener smtp
  answerback drain --over 1m && answerback apply next.yaml && answerback resume
  answerback drain -o json | jq --unbuffered .connections_open""",
)
@click.option("--listener", default="", metavar="NAME", help="Drain only this listener.")
@click.option(
    "--over",
    type=options.Duration(),
    default="0s",
    show_default=True,
    metavar="TIME",
    help="Close the connections evenly over this time.",
)
@options.grace
@options.output("table", "json")
@options.endpoint
def command(listener: str, over: float, grace: float | None, form: str, server: str) -> None:
    """Refuse new connections and close open ones, each after its current reply. The server keeps running.

    Readiness fails at once. Connections still open after --over and --grace are reset. The command ends when no
    connection is left, or when `answerback resume` ends the drain. Interrupting the command does not stop the drain.
    """
    from answerback.cli.client import connected
    from answerback.v1.operations_service_pb2 import DrainRequest

    request = DrainRequest(listener=listener, over=options.duration(over))
    if grace is not None:
        request.grace.CopyFrom(options.duration(grace))
    with connected(server) as client:
        answers = client.drain(request)
        if form == "table" and sys.stdout.isatty():
            answers = _shown(answers)
        last: dict[str, Any] = {}
        for last in _data(answers):
            if form == "json":
                output.line(output.as_json(last))
            elif not sys.stdout.isatty():
                output.line(_line(**last))
    if form == "table" and sys.stdout.isatty():
        output.line(_line(**last))


def _data(answers: "Iterable[DrainResponse]") -> Iterator[dict[str, Any]]:
    return (output.plain(answer) for answer in answers)


def _shown(answers: "Iterable[DrainResponse]") -> "Iterator[DrainResponse]":
    """The same, with a bar that shows how far it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("draining"), BarColumn(), MofNCompleteColumn(), TextColumn("closed"), TimeElapsedColumn())
    with Progress(*columns, transient=True) as progress:
        bar = progress.add_task("", total=None)
        for answer in answers:
            closed = answer.connections_closed
            progress.update(bar, completed=closed, total=closed + answer.connections_open)
            yield answer


def _line(state: str | int, connections_open: int, connections_closed: int, connections_reset: int) -> str:
    word = str(state).removeprefix("DRAIN_STATE_").lower()
    reset = f" ({connections_reset} of them reset)" if connections_reset else ""
    return f"{word}: {connections_closed} connections closed{reset}, {connections_open} open"
