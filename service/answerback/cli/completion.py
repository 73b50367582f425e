"""`answerback completion`."""

import os

import click
from click.shell_completion import get_completion_class

NAME = "answerback"
VARIABLE = "_ANSWERBACK_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    short_help="Print a shell completion script.",
    epilog="""\b
Examples:
  answerback completion bash >> ~/.bashrc
  answerback completion zsh >> ~/.zshrc
  answerback completion fish > ~/.config/fish/completions/answerback.fish

\b
Only in the current shell:
  source <(answerback completion bash)""",
)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def command(shell: str | None) -> None:
    """Print a script that makes Tab complete commands, options and files in SHELL (default: the one in $SHELL).

    Supported: bash 4.4 or newer, zsh, fish.
    """
    named = shell or os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119 - a name, not a file
    kind = get_completion_class(named) if named in SHELLS else None
    if kind is None:
        raise click.UsageError(f"SHELL must be one of {', '.join(SHELLS)}")
    completion = kind(click.get_current_context().find_root().command, {}, NAME, VARIABLE)
    click.echo(completion.source_template % completion.source_vars())
