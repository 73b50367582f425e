"""Starting a contender, waiting until it answers, and ending it."""

# Rule: every process started here is ended here, by its pid, whatever happens in between.

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bench import load
from bench.cpu import pinned

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15  # more than the 8 s of grace that `answerback serve` takes
POLL_S = 0.005
READY = b"READY "


class CouldNotRun(RuntimeError):
    """A contender is missing or does not start; the message says why, for the report."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running contender. ``metrics_port`` is 0 for all but Answerback."""

    process: subprocess.Popen[bytes]
    port: int
    metrics_port: int = 0

    @property
    def pid(self) -> int:
        """The process that was started: for Answerback, the supervisor."""
        return self.process.pid


def free_port() -> int:
    """Return a port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str | os.PathLike[str]], core: int | None, ports: tuple[int, int] | None
) -> Iterator[Server]:
    """Run a server on one core, or on all if that is None, until the block ends.

    ``ports`` are its port and its metrics port; if None, the server says ``READY <port>`` on its standard output.
    Raises CouldNotRun with the end of what it wrote to standard error if it does not come up.
    """
    with tempfile.TemporaryFile() as errors:
        with nullcontext() if core is None else pinned(core):
            try:
                said = errors if ports else subprocess.PIPE
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=said, stderr=errors, env=as_installed()
                )
            except OSError as problem:
                raise CouldNotRun(f"{Path(command[0]).name}: {problem.strerror}") from problem
        try:
            try:
                port, metrics_port = ports or (ready_port(process), 0)
                await_answer(process, port)
            except (OSError, ValueError, load.LoadFailed, TimeoutError) as problem:
                raise CouldNotRun(f"{problem}{last_words(errors.fileno())}") from problem
            yield Server(process, port, metrics_port)
        finally:
            stop(process)


def as_installed() -> dict[str, str]:
    """This environment, but Python keeps its bytecode, as an installation has it: a start is no compilation."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def ready_port(process: subprocess.Popen[bytes]) -> int:
    """Read the port that a contender announces; raises ValueError if it ends or says something else."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(READY):
        raise ValueError(f"exited with {process.wait()}" if not line else f"said {line!r}")
    return int(line.removeprefix(READY))


def await_answer(process: subprocess.Popen[bytes], port: int) -> None:
    """Ask until the server answers rightly; raises TimeoutError, or ValueError if it ends."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return load.probe(port)
        except OSError as problem:
            if process.poll() is not None:
                raise ValueError(f"exited with {process.returncode}") from problem
            if time.monotonic() > deadline:
                raise TimeoutError(f"does not answer after {START_TIMEOUT_S} s") from problem
            time.sleep(POLL_S)


def last_words(errors: int) -> str:
    """Return the last line written to a file of standard error, ready to be appended to a message."""
    text = os.pread(errors, 65536, max(0, os.fstat(errors).st_size - 65536)).decode(errors="replace").strip()
    return f": {text.splitlines()[-1].strip()}" if text else ""


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server in order, or by force if that takes too long."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
