"""`answerback record`."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answerback.cli import main
from tests.one_by_one import one_by_one
from tests.ports import free_port
from tests.waiting import eventually

ANSWERBACK = Path(sys.executable).with_name("answerback")


def _answer_a_line(peer: socket.socket) -> None:
    with peer.makefile("rb") as lines:
        if line := lines.readline():
            peer.sendall(b"got " + line)


@pytest.fixture
def upstream() -> Iterator[int]:
    """A server that answers one line of each client."""
    with one_by_one(_answer_a_line) as port:
        yield port


class Recording:
    """A running `answerback record`, and what it wrote."""

    def __init__(self, folder: Path, upstream: int, *options: str) -> None:
        self.port = free_port()
        self.configuration, self.talk = folder / "it.yaml", folder / "it.talk"
        words = ["record", "--listen", f"127.0.0.1:{self.port}", "--upstream", f"127.0.0.1:{upstream}"]
        self.process = subprocess.Popen(
            [ANSWERBACK, *words, "-o", self.configuration, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def ask(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own; return what comes back."""
        with eventually(lambda: socket.create_connection(("127.0.0.1", self.port), 20)) as sock:
            sock.sendall(data)
            return b"".join(iter(lambda: sock.recv(100), b""))

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit code, and what it said."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode(), err.decode()


def test_recording_ends_after_the_number_of_connections(tmp_path: Path, upstream: int) -> None:
    recording = Recording(tmp_path, upstream, "--connections", "2")
    assert [recording.ask(b"one\n"), recording.ask(b"two\n")] == [b"got one\n", b"got two\n"]
    code, out, err = recording.end()
    assert (code, err.splitlines()[0]) == (0, f"recording on 127.0.0.1:{recording.port}")
    assert out.splitlines()[-1] == "the talk passes"
    assert 'when: {equals: "one"}' in recording.configuration.read_text()
    assert recording.talk.read_text().splitlines()[-3:] == [r'> "two\n"', r'< "got two\n"', "< eof"]


def test_control_c_ends_the_recording(tmp_path: Path, upstream: int) -> None:
    recording = Recording(tmp_path, upstream)
    assert recording.ask(b"one\n") == b"got one\n"
    recording.process.send_signal(signal.SIGINT)
    code, out, err = recording.end()
    assert (code, out.splitlines()[-1]) == (0, "the talk passes")
    assert "^C stops the recording" in err


def test_recording_of_nothing_writes_nothing(tmp_path: Path, upstream: int) -> None:
    recording = Recording(tmp_path, upstream, "--connections", "1")
    eventually(lambda: socket.create_connection(("127.0.0.1", recording.port), 20)).close()
    code, _, err = recording.end()
    assert (code, err.splitlines()[-1]) == (1, "Error: no bytes were recorded; nothing was written")
    assert list(tmp_path.iterdir()) == []


def test_framing_that_does_not_fit_writes_nothing(tmp_path: Path, upstream: int) -> None:
    recording = Recording(tmp_path, upstream, "--connections", "1", "--framing", "resp")
    assert recording.ask(b"*x\r\n") == b"got *x\r\n"
    code, _, err = recording.end()
    assert code == 1
    assert err.splitlines()[-1].startswith("Error: --framing does not fit: connection 1: ")
    assert list(tmp_path.iterdir()) == []


def test_recorded_configuration_answers_as_the_server_did(tmp_path: Path, upstream: int) -> None:
    recording = Recording(tmp_path, upstream, "--connections", "1")
    recording.ask(b"one\n")
    assert recording.end()[0] == 0
    played = CliRunner().invoke(main, ["explain", str(recording.configuration), "--talk", str(recording.talk)])
    assert played.exit_code == 0, played.output


def record(*words: str) -> Result:
    return CliRunner().invoke(main, ["record", *words])


@pytest.mark.parametrize(
    "words, message",
    [
        ("--listen nonsense --upstream 127.0.0.1:1", "--listen: 'nonsense' is not HOST:PORT"),
        ("--listen 127.0.0.1:0 --upstream nonsense", "--upstream: 'nonsense' is not an address to connect to"),
        ("--listen 127.0.0.1:0 --upstream 127.0.0.1:0", "--upstream: '127.0.0.1:0' is not an address to connect to"),
        ("--listen 127.0.0.1:0 --upstream 127.0.0.1:1 --framing nonsense", "--framing: "),
        ("--listen 127.0.0.1:0 --upstream 127.0.0.1:1 --framing {length_prefix:{}}", "--framing: "),
    ],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, words: str, message: str) -> None:
    result = record(*words.split(), "-o", str(tmp_path / "it.yaml"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("name", ["it.yaml", "it.talk"])
def test_files_that_exist_are_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    result = record("--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1", "-o", str(tmp_path / "it.yaml"))
    assert result.exit_code == 2
    assert f"{tmp_path / name} exists; --force replaces it" in result.stderr
    assert (tmp_path / name).read_text() == "mine"


def test_address_in_use_is_an_error(tmp_path: Path, upstream: int) -> None:
    result = record("--listen", f"127.0.0.1:{upstream}", "--upstream", "127.0.0.1:1", "-o", str(tmp_path / "it.yaml"))
    assert result.exit_code == 1
    assert "--listen: " in result.stderr
