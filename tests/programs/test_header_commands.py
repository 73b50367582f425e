"""The command at the top of each example works as it is written, on a free port, where its programs are installed."""

import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from answerback.document.document import load
from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import ANSWERBACK, RunningServer, serving
from tests.system.tls_examples import make_certificates, place_certificates

pytestmark = pytest.mark.programs

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "service/answerback/examples"
NAMES: Final = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
PATIENCE: Final = 30.0
SHELL: Final = frozenset({"echo", "printf", "yes", "head", "seq", "od"})

PRINTS: Final = {
    "agent-check": r"^up ready 75%\n",
    "chargen": r"^ !\"#\$%&'",
    "daytime": r"^\w+day, \w+ \d+, \d{4} ",
    "echo": r"^hi\n$",
    "flaky": r"\w",
    "ftp": r" README\.md\n$",
    "graphite": r"^42\n$",
    "hello": r"^Hello, World!",
    "http": r"\w",
    "idle-and-eof": r"^got 3893\n$",
    "kafka": r'topic "events" with 1 partitions',
    "ldap": r"mail: ada@example\.com\n",
    "memcached": r"^STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n$",
    "modbus": r"^ 00 01 00 00 00 07 01 03 04 00 2a 00 2b\n$",
    "modbus-rtu": r"^ 11 03 04 00 2a 00 2a 4b e5\n$",
    "mysql": r"\n1\n$",
    "pop3": r"(?m)^Subject: ",
    "postgres": r"\(1 row\)",
    "qotd": r"\w.*\r\n",
    "redis": r"^OK\n$",
    "redis-front": r"^none\n$",
    "redis-ping": r"^\+PONG\r\n$",
    "services": r"^\d{4}-\d\d-\d\dT",
    "smtp": r"<-  221 ",
    "tls-good": r"^Hello, World!\n$",
    "stomp": r"^CONNECTED\nversion:1\.2\n",
    "websocket": r"^Connected to ws://",
}
"""What commands print on standard output; no other one prints anything that is always the same."""
LASTS: Final = frozenset(
    {"agent-check", "chargen", "daytime", "misbehaving", "qotd", "services", "tarpit", "websocket"}
)
"""The examples whose commands end when their users say so, or may."""
CODES: Final = {"slow": 28, "tls-bad": 60}
"""The exit codes other than 0: those of curl for a timeout, and for a certificate that it rejects."""


@dataclass(frozen=True)
class Served:
    """All examples, on one server."""

    server: RunningServer
    commands: dict[str, str]

    def accepted(self, name: str) -> float:
        """How many connections the listeners of an example have accepted."""
        pattern = rf'^answerback_connections_accepted_total{{listener="{name}[.][^"]*"}} (\S+)$'
        series = re.findall(pattern, self.server.scrape(), re.MULTILINE)
        return sum(map(float, series))


def programs(command: str) -> list[str]:
    """The programs that a command needs."""
    parts = [shlex.split(part) for part in re.split(r" \| | && ", command)]
    words = [next(word for word in part if not re.match(r"\w+=", word)) for part in parts]
    return [word for word in words if word not in SHELL]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    together, commands = v1.Config(), {}
    folder = tmp_path_factory.mktemp("examples")
    make_certificates(folder)
    for name in NAMES:
        text = (EXAMPLES / f"{name}.yaml").read_text()
        for port in re.findall(r"^ +address: \S+:(\d+)$", text, re.MULTILINE):
            free = free_port()
            text = text.replace(port, str(free)).replace(
                f"{int(port) // 256},{int(port) % 256}", f"{free // 256},{free % 256}"
            )
        command = text.splitlines()[1].removeprefix("# Try it: ").removeprefix("answerback certificates tls && ")
        commands[name] = re.sub(r"(?<=[ =])tls/", f"{folder}/tls/", command)
        found = load(text)
        assert not found.problems
        for listener in found.config.listeners:
            listener.name = f"{name}.{listener.name}"
            if listener.HasField("tls"):
                place_certificates(listener.tls, folder)
        together.MergeFrom(found.config)
    server = RunningServer(0, free_port(), free_port())
    with serving(server, dump(together), folder):
        yield Served(server, commands)


def test_expectations_are_of_examples() -> None:
    assert {*PRINTS, *LASTS, *CODES} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_command_of_an_example_reaches_it(served: Served, name: str, tmp_path: Path) -> None:
    command = served.commands[name]
    missing = [program for program in programs(command) if program != "python" and shutil.which(program) is None]
    if missing or ("websockets" in command and find_spec("websockets") is None):
        pytest.skip(f"not installed: {', '.join(missing) or 'websockets'}")
    before = served.accepted(name)
    with (tmp_path / "errors").open("w+b") as errors:
        process = subprocess.Popen(
            ["bash", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,  # curl sends README.md
            env={**os.environ, "PATH": f"{ANSWERBACK.parent}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        try:
            printed = heard(process, PRINTS.get(name, ""), until_end=name not in LASTS)
            errors.seek(0)
            told = f"{command}\nprinted {printed!r}, and as errors {errors.read()!r}"
            assert re.search(PRINTS.get(name, ""), printed), told
            if name not in LASTS:
                assert process.wait(PATIENCE) == CODES.get(name, 0), told
            deadline = time.monotonic() + PATIENCE
            while served.accepted(name) == before:
                assert time.monotonic() < deadline, told
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def heard(process: subprocess.Popen[bytes], pattern: str, *, until_end: bool) -> str:
    """What a process prints, up to its end, or until a pattern is found."""
    assert process.stdout is not None
    printed, deadline = "", time.monotonic() + PATIENCE
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (until_end or not re.search(pattern, printed)) and time.monotonic() < deadline:
            if selector.select(0.1):
                data = os.read(process.stdout.fileno(), 65536)
                if not data:
                    break
                printed += data.decode(errors="replace")
    return printed
