"""`answerback version`."""

import platform

import click

from answerback import __version__
from answerback.cli import options, output


@click.command(
    "version",
    short_help="Print the version.",
    epilog="""\b
Examples:
  answerback version
  answerback version -o json | jq -r .version""",
)
@options.output("table", "json", "yaml")
def command(form: str) -> None:
    """Print the versions of Answerback and Python."""
    python, machine = platform.python_version(), platform.machine()
    if form == "table":
        click.echo(f"answerback {__version__} (Python {python}, {machine})")
    else:
        output.write({"version": __version__, "python": python, "machine": machine}, form)
