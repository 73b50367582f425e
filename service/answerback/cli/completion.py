"""`answerback completion`."""

import os

import click
from click.shell_completion import get_completion_class

NAME = "answerback"
VARIABLE = "_ANSWERBACK_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    short_help="Print what makes a shell complete commands.",
    epilog="""\b
Examples:
  answerback completion bash >> ~/.bashrc
  answerback completion zsh >> ~/.zshrc
  answerback completion fish > ~/.config/fish/completions/answerback.fish

\b
In this shell alone:
  source <(answerback completion bash)""",
)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def command(shell: str | None) -> None:
    """Print a script for SHELL (by default the one in $SHELL), after which Tab completes commands, options and files.

    It needs bash 4.4 or newer, zsh or fish.
    """
    named = shell or os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119 - a name, not a file
    kind = get_completion_class(named) if named in SHELLS else None
    if kind is None:
        raise click.UsageError(f"name the shell: one of {', '.join(SHELLS)}")
    completion = kind(click.get_current_context().find_root().command, {}, NAME, VARIABLE)
    click.echo(completion.source_template % completion.source_vars())
