"""The contenders: how each is started, and which are compared with which."""

# Rule: identical work. All answer "+PONG\r\n" to every line and leave the closing to the client; only the two
#       originals close by themselves after their one read, as they always did, and so appear in one-shot alone,
#       where Answerback is measured a second time, configured to do the same. (Who closes matters: streams that close
#       by themselves cost 0.84 × those that wait for the client to.)

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench.server import CouldNotRun, Server, free_port, running

HERE = Path(__file__).parent
CONFIG_ADDRESS = "127.0.0.1:7379"  # stands in the configurations; replaced by a free port
ONCE = "answerback-once.yaml"
COMPILERS = ("cc", "gcc", "clang")
ALL_MODES = ("persistent", "one-shot", "pipelined")


@dataclass(frozen=True, slots=True)
class Launch:
    """A command to start, with its port and metrics port unless it announces them itself."""

    command: list[str]
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """``prepare`` is given a folder for what it builds; it raises CouldNotRun."""

    key: str
    title: str
    prepare: Callable[[Path], Launch]
    closes: bool = False  # by itself, after one reply
    many: bool = True  # fit for 10,000 connections


def floor(build: Path) -> Launch:
    """Compile the C floor."""
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise CouldNotRun(f"no C compiler ({', '.join(COMPILERS)})")
    program = build / "epoll_line"
    command = [compiler, "-O2", "-o", str(program), str(HERE / "floor" / "epoll_line.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CouldNotRun(f"{compiler}: {(done.stderr.strip().splitlines() or ['failed'])[0]}")
    return Launch([str(program)])


def script(name: str, *arguments: str, needs: str | None = None) -> Callable[[Path], Launch]:
    """Run one of ``contenders/`` with this Python."""

    def prepare(_build: Path) -> Launch:
        if needs is not None and find_spec(needs) is None:
            raise CouldNotRun(f"{needs} is not installed for {sys.executable}")
        return Launch([sys.executable, str(HERE / "contenders" / f"{name}.py"), *arguments])

    return prepare


def answerback(engine: str, config: str = "answerback.yaml", workers: int = 1) -> Callable[[Path], Launch]:
    """Run ``answerback serve`` with a configuration of this folder."""
    return serve(config, (HERE / config).read_text(), engine, workers)


def serve(name: str, config: str, engine: str, workers: int = 1) -> Callable[[Path], Launch]:
    """Run ``answerback serve`` with the text of a configuration, to be kept under this name."""

    def prepare(build: Path) -> Launch:
        beside = Path(sys.executable).with_name("answerback")
        program = str(beside) if os.access(beside, os.X_OK) else shutil.which("answerback")
        if program is None:
            raise CouldNotRun(f"no `answerback` beside {sys.executable} nor on the PATH")
        return serve_by([program], name, config, engine, workers)(build)

    return prepare


def serve_by(program: list[str], name: str, config: str, engine: str, workers: int = 1) -> Callable[[Path], Launch]:
    """Run ``PROGRAM serve`` with the text of a configuration, to be kept under this name."""

    def prepare(build: Path) -> Launch:
        port, admin, metrics = free_port(), free_port(), free_port()
        copy = build / f"{port}-{name}"
        copy.write_text(config.replace(CONFIG_ADDRESS, f"127.0.0.1:{port}"))
        command = [*program, "serve", "--config", str(copy), "--workers", str(workers), "--engine", engine]
        command += ["--admin", f"127.0.0.1:{admin}", "--metrics", f"127.0.0.1:{metrics}"]
        return Launch(command, (port, metrics))

    return prepare


def redis(build: Path) -> Launch:
    """Run redis-server with nothing saved; it answers PING as the others do, through its whole command table."""
    program = shutil.which("redis-server")
    if program is None:
        raise CouldNotRun("redis-server is not installed")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--protected-mode", "no"]
    return Launch(
        [*command, "--dir", str(build), "--save", "", "--appendonly", "no", "--maxclients", "15000"], (port, 0)
    )


ROSTER = (
    Contender("floor", "C, epoll: the floor", floor),
    Contender("uvloop", "uvloop, bare Protocol", script("uvloop_protocol", needs="uvloop")),
    Contender("callback", "Answerback CALLBACK", answerback("callback")),
    Contender("coroutine", "Answerback COROUTINE", answerback("coroutine")),
    Contender("streams", "asyncio streams, plain", script("streams_asyncio")),
    Contender("redis", "redis-server", redis),
    Contender("select-original", "original select callbacks", script("select_callbacks"), closes=True, many=False),
    Contender("streams-original", "original asyncio streams", script("streams_asyncio", "--close"), closes=True),
    Contender("callback-once", "CALLBACK as the original", answerback("callback", ONCE), closes=True),
    Contender("coroutine-once", "COROUTINE as the original", answerback("coroutine", ONCE), closes=True),
)

CONTENDERS = {contender.key: contender for contender in ROSTER}

KILLED = Contender(
    "callback", "CALLBACK, its workers killed", answerback("callback", "answerback-kill.yaml", workers=2)
)


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two contenders measured in turn."""

    subject: str
    baseline: str
    modes: tuple[str, ...] = ALL_MODES


PAIRINGS = (
    Pairing("uvloop", "floor"),
    Pairing("callback", "floor"),
    Pairing("coroutine", "floor"),
    Pairing("coroutine", "streams"),
    Pairing("streams", "floor"),
    Pairing("redis", "floor"),
    Pairing("select-original", "floor", ("one-shot",)),
    Pairing("streams-original", "floor", ("one-shot",)),
    Pairing("coroutine", "streams-original", ("one-shot",)),
    Pairing("callback-once", "select-original", ("one-shot",)),
    Pairing("coroutine-once", "streams-original", ("one-shot",)),
)


@contextmanager
def started(contender: Contender, build: Path, core: int) -> Iterator[Server]:
    """Run a contender until the block ends; raises CouldNotRun."""
    launch = contender.prepare(build)
    with running(launch.command, core, launch.ports) as server:
        yield server
