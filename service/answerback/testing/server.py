"""The process of a test server."""

# Rule: only the standard library at the top; the client is imported while the server starts.
# Rule: whatever happens, `stop` leaves no process, no socket and no file.

import itertools
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from answerback.client import Client

START_SECONDS: Final = 30.0  # a quarter of a second on an idle machine
STOP_SECONDS: Final = 10.0  # then it is killed; it ends at once, as it gives no grace
END_SECONDS: Final = 1.0
KEPT: Final = "10"  # revisions: each listener makes one, and a test has no history
POLL_SECONDS: Final = 0.005
LAST_WORDS: Final = 4000  # characters of the log that an error shows
LONGEST_PATH: Final = 100  # bytes: an address of a Unix socket has room for 107
COMMAND: Final = "ANSWERBACK_COMMAND"


class ServerDied(RuntimeError):
    """The server of the tests has ended, or did not start; the text has its own last words."""


class Server:
    """`answerback serve` in a process of its own, for tests: one worker, no state, no metrics.

        with Server() as server:
            server.client.get_status()

    Its admin API listens on a Unix socket. It starts without listeners: `Answerback(server)` makes some. It ends with
    the `with` block, and with the process that started it. `command` starts another installation of it; its default
    is the environment variable ANSWERBACK_COMMAND. Raises ServerDied if it does not start.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        given = shlex.split(os.environ.get(COMMAND, "")) if command is None else command
        self._folder = _folder()
        self._log = (self._folder / "log").open("w+b")  # read through this descriptor, when the folder is gone too
        self._client: Client | None = None
        self.numbers = itertools.count(1)
        """For names of listeners."""
        config = self._folder / "answerback.yaml"
        config.write_text("listeners: []\n")
        self._process = self._start(given, config)
        try:
            from answerback import client  # noqa: PLC0415 - takes as long as the server needs to start

            self._wait()
            self._client = client.Client(f"unix:{self._socket}")
        except BaseException:
            self.stop()
            raise

    @property
    def client(self) -> "Client":
        """A client of its admin API."""
        assert self._client is not None
        return self._client

    @property
    def pid(self) -> int:
        """The ID of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """Its log: warnings and errors."""
        if self._log.closed:
            return ""
        number = self._log.fileno()
        return os.pread(number, os.fstat(number).st_size, 0).decode(errors="replace")

    def check(self, patience: float = 0.0) -> None:
        """Raise ServerDied if the process has ended, or ends within `patience` seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
            raise self._died("the Answerback server of the tests has ended")

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Make calls of a client; one that fails because the server has ended raises ServerDied."""
        from answerback.client import Unavailable  # noqa: PLC0415 - as the rule says

        try:
            yield
        except Unavailable:
            self.check(END_SECONDS)  # its connections end a moment before the process does
            raise

    def clear(self) -> None:
        """Empty its journal, remove its shared variables and kept signals, and have rules and faults count from 0."""
        with self.alive():
            if self.running:
                self.client.reset_counters()
                self.client.clear_exchanges()

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._client is not None:
            self._client.close()
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self._process.kill()  # does nothing to a process that has ended
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _socket(self) -> Path:
        return self._folder / "admin"

    def _start(self, command: Sequence[str], config: Path) -> "subprocess.Popen[bytes]":
        # The kernel tells the child of the end of the thread that started it, so only the main thread can be watched.
        parent = os.getpid() if threading.current_thread() is threading.main_thread() else 0
        child = (sys.executable, "-m", "answerback.testing.child", str(parent), str(self._folder), *command, "--")
        serve = ("serve", "--config", str(config), "--admin", f"unix:{self._socket}", "--metrics", "off")
        options = ("--workers", "1", "--grace", "0s", "--log-level", "warning", "--keep-revisions", KEPT)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSWERBACK_")}
        return subprocess.Popen(
            [*child, *serve, *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for pytest, which then ends the server
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(POLL_SECONDS)
                raise self._died("the Answerback server of the tests did not start")
            if time.monotonic() > deadline:
                raise self._died(f"the Answerback server of the tests did not start within {START_SECONDS:g} s")

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def _died(self, what: str) -> ServerDied:
        code = self._process.poll()
        how = "" if code is None else f" ({_ended(code)})"
        words = self.log.strip()[-LAST_WORDS:] or "(nothing)"
        return ServerDied(f"{what}{how}; its last words:\n{words}")


def _ended(code: int) -> str:
    with suppress(ValueError):
        if code < 0:
            return signal.Signals(-code).name
    return f"exit code {code}"


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="answerback-"))
    if len(os.fsencode(folder)) > LONGEST_PATH - len("/admin"):
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="answerback-", dir="/tmp"))
    return folder
