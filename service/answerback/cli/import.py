"""`answerback import`."""  # noqa: N999 — a command is found by the name of its module

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerback.cli import output, source

if TYPE_CHECKING:
    from answerback.importing.outcome import Outcome


def _to(function: Callable[..., None]) -> Callable[..., None]:
    """`-o`: where the configuration goes."""
    return click.option(
        "-o",
        "--output",
        "to",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Write the configuration to FILE instead of standard output.",
    )(function)


@click.group(
    "import",
    short_help="Make a configuration of another tool's file.",
    epilog="""\b
Examples:
  answerback import mountebank imposters.json -o answerback.yaml
  answerback import toxiproxy toxiproxy.json -o answerback.yaml
  answerback check answerback.yaml && answerback serve --config answerback.yaml""",
)
def command() -> None:
    """Make a configuration of a file of another tool.

    The configuration goes to standard output. Whatever of the file has no equivalent is listed on standard error, each
    with its place and what to write instead; then the exit code is 1.
    """


@command.command(
    "mountebank",
    short_help="Import imposters of mountebank.",
    epilog="""\b
Examples:
  answerback import mountebank imposters.json -o answerback.yaml
  curl -s 'http://localhost:2525/imposters?replayable=true' | answerback import mountebank -""",
)
@source.FILE
@_to
def mountebank(file: str, to: str | None) -> None:
    """Import the imposters of TCP and HTTP in FILE, a `--configfile` of mountebank or what its API answers.

    `-` reads standard input.
    """
    from answerback.importing.mountebank import import_mountebank

    _import(file, to, import_mountebank)


@command.command(
    "toxiproxy",
    short_help="Import proxies of Toxiproxy.",
    epilog="""\b
Examples:
  answerback import toxiproxy toxiproxy.json -o answerback.yaml
  curl -s http://localhost:8474/proxies | answerback import toxiproxy -""",
)
@source.FILE
@_to
def toxiproxy(file: str, to: str | None) -> None:
    """Import the proxies in FILE, a `-config` file of Toxiproxy or what its API takes and answers.

    `-` reads standard input.
    """
    from answerback.importing.toxiproxy import import_toxiproxy

    _import(file, to, import_toxiproxy)


def _import(file: str, to: str | None, importer: "Callable[[bytes], Outcome]") -> None:
    """Import a file; exit with 0 if it has an equivalent as a whole, with 1 if not, with 2 if there is no result."""
    from answerback.importing.source import Unreadable

    try:
        outcome = importer(source.read(file))
    except click.ClickException as unreadable:
        raise source.NoAnswer(unreadable.message) from None
    except Unreadable as unreadable:
        (line,) = source.lines(file, [unreadable.problem])
        raise source.NoAnswer(line) from None
    _write(outcome.text, to)
    for line in source.lines(file, outcome.notes):
        output.line(line, err=True)
    if outcome.notes:
        count = len(outcome.notes)
        output.line(f"{source.name(file)}: {count} part{'s' * (count != 1)} without an equivalent", err=True)
        raise click.exceptions.Exit(1)


def _write(text: str, to: str | None) -> None:
    if to is None:
        output.document(text)
        return
    try:
        Path(to).write_text(text, encoding="utf-8")
    except OSError as error:
        raise source.NoAnswer(f"{to}: {error.strerror or error}") from None
