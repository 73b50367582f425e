"""`answerback version`."""

import platform

import click

from answerback import __version__


@click.command("version", short_help="Print the version.")
def command() -> None:
    """Print the version of Answerback, and of the Python that runs it."""
    click.echo(f"answerback {__version__} (Python {platform.python_version()}, {platform.machine()})")
