"""`answerback run`."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click

from answerback.cli import options, output, source

# Rule: the server is a process of its own, started by the command `serve`: `run` adds no second way to serve.
# Rule: whatever ends the command or this program, the server is stopped and its temporary directory removed.

LOOK_SECONDS: Final = 0.01  # between two looks for the file that says that the server is ready
NOT_FOUND, NOT_EXECUTABLE, SIGNALLED = 127, 126, 128  # exit codes as of a POSIX shell
PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP)  # a terminal sends SIGINT to the command itself


@click.command(
    "run",
    short_help="Serve while a command runs.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  answerback run --config redis.yaml -- pytest tests/integration
  answerback examples redis-ping | answerback run --config - -- sh -c 'redis-cli -p $ANSWERBACK_PORT PING'

\b
The command's environment has:
  ANSWERBACK_ADDRESS, ANSWERBACK_PORT    of the first listener (the port is empty for a Unix socket)
  ANSWERBACK_ADDRESS_NAME, ANSWERBACK_PORT_NAME    of the listener NAME, in capitals, with _ for other characters
  ANSWERBACK_SERVER                      of the admin API: `answerback status` reaches this server
  ANSWERBACK_METRICS                     of /metrics""",
)
@click.option(
    "--config",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help='Configuration file; - reads standard input. Without it, the server answers "Hello, World!" on port 8000.',
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of worker processes.",
)
@click.option(
    "--admin",
    type=options.Address(),
    default="127.0.0.1:0",
    show_default=True,
    metavar="ADDR",
    help="Admin address.",
)
@click.option(
    "--metrics",
    type=options.Address(),
    default="127.0.0.1:0",
    show_default=True,
    metavar="ADDR",
    help="Metrics address.",
)
@click.option(
    "--log-level",
    type=click.Choice(("debug", "info", "warning", "error")),
    default="warning",
    show_default=True,
    help="Minimum log level of the server.",
)
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARG]...")
def command(config: Path | None, command: tuple[str, ...], **given: Any) -> None:
    """Start a server, run COMMAND once it is ready, stop the server, and exit with the exit code of COMMAND.

    Use listener addresses with port 0 so that several runs can go on at once. A server that does not start, or dies
    meanwhile, is an error: exit 1.
    """
    arguments = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    text = b""
    if config is not None:
        arguments += ["--config", str(config)]
        text = source.read(source.STDIN) if str(config) == source.STDIN else b""
    with serving(arguments, text) as (server, addresses):
        code = _run(command, environment(addresses), server)
    raise click.exceptions.Exit(code)


@contextmanager
def serving(arguments: Sequence[str], text: bytes) -> Iterator[tuple["subprocess.Popen[bytes]", Mapping[str, Any]]]:
    """A server, from ready to stopped, and its addresses (see `port_file`). Raises Exit if it does not start."""
    with tempfile.TemporaryDirectory(prefix="answerback-") as folder:
        port_file = Path(folder) / "ports.json"
        program = [sys.executable, "-m", "answerback.cli", "serve", "--port-file", str(port_file), *arguments]
        # A session of its own: ^C goes to the command, which may want the server while it ends.
        server = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True)
        try:
            assert server.stdin is not None
            with server.stdin as stdin:
                stdin.write(text)
            while not port_file.exists():
                with suppress(subprocess.TimeoutExpired):
                    server.wait(LOOK_SECONDS)
                    raise click.exceptions.Exit(1)  # it has said why
            yield server, json.loads(port_file.read_text())
        finally:
            server.terminate()
            server.wait()


def environment(addresses: Mapping[str, Any]) -> dict[str, str]:
    """What the command finds in its environment, beside all that is in ours."""
    found = {"ANSWERBACK_SERVER": addresses["admin"], "ANSWERBACK_METRICS": addresses["metrics"]}
    for name, address in reversed(addresses["listeners"].items()):
        suffix = re.sub(r"[^A-Z0-9]", "_", name.upper())
        port = "" if address.startswith("unix:") else address.rpartition(":")[2]
        for key, value in (("ADDRESS", address), ("PORT", port)):
            found[f"ANSWERBACK_{key}_{suffix}"] = found[f"ANSWERBACK_{key}"] = value
    return {**os.environ, **found}


def _run(command: Sequence[str], env: Mapping[str, str], server: "subprocess.Popen[bytes]") -> int:
    """Run the command to its end. Returns its exit code as a shell has it; 1 if the server died meanwhile."""
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # signals that came before there was a child

    def pass_on(number: int, _frame: object) -> None:
        early.append(number)
        for child in children:
            child.send_signal(number)

    former = {each: signal.signal(each, pass_on) for each in PASSED_ON}
    try:
        child = subprocess.Popen(command, env=env)
        children.append(child)
        if early:
            child.send_signal(early[-1])
        former[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)  # not before: the child would inherit it
        code = child.wait()
    except OSError as error:
        output.line(f"Error: {command[0]}: {error.strerror or error}", err=True)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
    if (died := server.poll()) is not None:
        output.line(f"Error: the server ended while {command[0]} was running (exit code {died})", err=True)
        return 1
    return code if code >= 0 else SIGNALLED - code
