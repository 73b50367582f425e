"""The command line.

Each command stands in a module of its own name, which is loaded when it is asked for: `answerback health` runs every
few seconds in a container, and must not pay for gRPC.
"""

# Rule: data on stdout, diagnostics on stderr; exit 0, 1 for an error, 2 for a wrong usage.
# Rule: a flag goes before ANSWERBACK_*, that before the default.
# Rule: an error says what, where, and what to do; a usage error never prints a traceback.
# Rule: modules import at their top only what is light; gRPC, protobuf and rich inside the function that needs them.

import importlib
import os
from typing import Any, Final

import click

from answerback import __version__
from answerback.cli.output import printable

GROUPS: Final = {
    "Run": ("serve", "run", "proxy"),
    "Configuration": ("check", "explain", "examples", "import", "show", "diff", "apply"),
    "History": ("history", "rollback", "watch"),
    "Requests": ("requests", "tail", "verify", "connections", "close"),
    "Operations": ("status", "listeners", "fault", "drain", "resume", "restart", "reset-counters", "signal", "health"),
    "Talks": ("play", "record"),
    "Other": ("certificates", "version", "completion"),
}
COMMANDS: Final = tuple(name for names in GROUPS.values() for name in names)


class LazyGroup(click.Group):
    """A group whose commands are imported by name, `COMMAND` being `answerback.cli.COMMAND.command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 — click's signature
        """In the order of GROUPS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 — as above
        """Import one command; None if there is none of the name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"answerback.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; the error for an unknown one suggests similar names."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click knows only the names of commands that are loaded
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; escape its error message as its output is escaped."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = "\n".join(map(printable, error.message.split("\n")))
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in groups."""
        width = max(map(len, COMMANDS))
        for title, names in GROUPS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), one.get_short_help_str(80)) for name, one in commands if one])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""A programmable TCP server: describe its replies in YAML, change them live, monitor it with Prometheus.

    \b
    Get started:
      answerback serve                      # answers "Hello, World!" on port 8000
      printf hi | nc 127.0.0.1 8000
      answerback show > answerback.yaml     # the active configuration; edit it
      answerback diff answerback.yaml       # what would change
      answerback apply answerback.yaml      # live: no connection is dropped
      answerback status                     # listeners, workers, counters, last changes""",
    epilog="""\b
`answerback COMMAND --help` shows a command's options and examples. Most options can also be set
by an environment variable: --server is ANSWERBACK_SERVER. For Tab completion, see
`answerback completion --help`.""",
)
@click.version_option(
    __version__, "-V", "--version", prog_name="answerback", message="%(prog)s %(version)s", help="Print the version."
)
def main() -> None:
    """The command."""
    # gRPC reads this when it is imported. Our own errors report ports and handshakes.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
