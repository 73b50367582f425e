"""bench.roster, bench.server and the contenders: they start, answer alike, and are ended."""

import shutil
import socket
import sys
from pathlib import Path

import pytest

from bench import load, roster
from bench.cpu import usable_cores
from bench.roster import CONFIG_ADDRESS, CONTENDERS, HERE, ONCE, PAIRINGS, Contender, Launch, started
from bench.server import CouldNotRun, running

CORE = usable_cores().server


@pytest.mark.parametrize("key", ["floor", "uvloop", "streams", "select-original", "streams-original"])
def test_contender_replies_and_closes_as_declared(key: str, tmp_path: Path) -> None:
    if key == "floor" and not any(shutil.which(name) for name in roster.COMPILERS):
        pytest.skip("no C compiler")
    contender = CONTENDERS[key]
    with started(contender, tmp_path, CORE) as server:
        if not contender.closes:
            load.probe(server.port, 200)
        with socket.create_connection(("127.0.0.1", server.port), 5) as peer:
            peer.sendall(load.REQUEST)
            assert peer.recv(100) == load.REPLY
            if not contender.closes:
                peer.shutdown(socket.SHUT_WR)
            assert peer.recv(1) == b""
        with socket.create_connection(("127.0.0.1", server.port), 5):
            pass  # leaves without a word
        load.probe(server.port)
    assert server.process.returncode is not None


def test_pairings_name_existing_contenders() -> None:
    for pairing in PAIRINGS:
        assert {pairing.subject, pairing.baseline} <= set(CONTENDERS)
        closers = [key for key in (pairing.subject, pairing.baseline) if CONTENDERS[key].closes]
        assert not closers or pairing.modes == ("one-shot",)


@pytest.mark.parametrize("name", ["answerback.yaml", ONCE])
def test_benchmark_configuration_has_the_address_to_replace_once(name: str) -> None:
    assert (HERE / name).read_text().count(CONFIG_ADDRESS) == 1


@pytest.mark.parametrize(
    "command, message",
    [
        ([sys.executable, "-c", "import sys; sys.exit('port taken')"], "exited with 1: port taken"),
        ([sys.executable, "-c", "print('hello')"], "said b'hello"),
        (["/nonexistent/server"], "server: No such file or directory"),
    ],
)
def test_contender_that_does_not_start_reports_why(command: list[str], message: str, tmp_path: Path) -> None:
    with (
        pytest.raises(CouldNotRun, match=message),
        started(Contender("x", "x", lambda _: Launch(command)), tmp_path, CORE),
    ):
        pytest.fail("it started")


def test_contender_with_known_port_that_exits_is_reported() -> None:
    command = [sys.executable, "-c", "import sys; print('no such command', file=sys.stderr); sys.exit(2)"]
    with pytest.raises(CouldNotRun, match="exited with 2: no such command"), running(command, CORE, (1, 1)):
        pytest.fail("it started")


def test_floor_contender_without_compiler_could_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CouldNotRun, match="no C compiler"):
        roster.floor(tmp_path)
    with pytest.raises(CouldNotRun, match="redis-server is not installed"):
        roster.redis(tmp_path)


def test_contender_with_missing_library_names_it(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="nosuchloop is not installed"):
        roster.script("uvloop_protocol", needs="nosuchloop")(tmp_path)
