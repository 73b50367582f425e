"""`answerback play`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answerback.cli.play import command
from tests.one_by_one import one_by_one


@pytest.fixture
def port() -> Iterator[int]:
    """A server that greets each client with `hi`, and closes."""
    with one_by_one(lambda peer: peer.sendall(b"hi\n")) as port:
        yield port


def play(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(command, [*words, "--patience", "20s"], input=stdin)


def talk(folder: Path, text: str) -> str:
    file = folder / "greeting.talk"
    file.write_text(text)
    return str(file)


def test_talk_that_goes_as_written_exits_with_0(port: int, tmp_path: Path) -> None:
    file = talk(tmp_path, '< "hi\\n"\n< eof\n')
    result = play(file, f"127.0.0.1:{port}")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{file}: ok, 2 instructions\n", "")


def test_talk_that_goes_otherwise_exits_with_1_and_names_the_line(port: int, tmp_path: Path) -> None:
    file = talk(tmp_path, '# greeting\n< "ho\\n"\n')
    result = play(file, f"127.0.0.1:{port}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f'{file}:2: < "ho\\n": received "hi\\n": byte 1 is "i", not "o"\n'


def test_talk_in_data_has_the_outcome(port: int, tmp_path: Path) -> None:
    file = talk(tmp_path, '< "hi\\n"\n')
    good = json.loads(play(file, f"127.0.0.1:{port}", "-o", "json").stdout)
    assert good == {"talk": file, "ok": True, "line": None, "message": None}
    file = talk(tmp_path, '< "hi\\n"\n< reset\n')
    result = play(file, f"127.0.0.1:{port}", "-o", "json")
    message = "the server closed in order, without a reset"
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"talk": file, "ok": False, "line": 2, "message": message}


def test_talk_that_cannot_be_read_exits_with_2_and_lists_every_line(tmp_path: Path) -> None:
    file = talk(tmp_path, "hello\nconnect\n> hi\n")
    result = play(file, "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (2, "")
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{file}:1: no such instruction: 'hello'")
    assert second.startswith(f"{file}:3: hi is neither a JSON string")


def test_talk_from_standard_input_is_played(port: int) -> None:
    result = play("-", f"127.0.0.1:{port}", stdin='< "hi\\n"\n')
    assert (result.exit_code, result.stdout) == (0, "<stdin>: ok, 1 instructions\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_talk_without_an_address_uses_the_configuration_beside_it(port: int, tmp_path: Path, host: str) -> None:
    file = talk(tmp_path, '< "hi\\n"\n')
    (tmp_path / "greeting.yaml").write_text(f'listeners: [{{name: a, address: "{host}:{port}"}}]')
    assert play(file).exit_code == 0


@pytest.mark.parametrize(
    "config, message",
    [(None, "has no configuration beside it"), ("listeners: []", "has no listener: give the address of the server")],
)
def test_talk_without_any_address_exits_with_2(tmp_path: Path, config: str | None, message: str) -> None:
    file = talk(tmp_path, "connect\n")
    if config is not None:
        (tmp_path / "greeting.yaml").write_text(config)
    result = play(file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("address", ["here", ":80", "host:", "host:0", "host:65536", "host:x"])
def test_address_that_cannot_be_connected_to_exits_with_2(tmp_path: Path, address: str) -> None:
    result = play(talk(tmp_path, "connect\n"), address)
    assert result.exit_code == 2
    assert "is not an address to connect to" in result.stderr


def test_missing_talk_is_an_error(tmp_path: Path) -> None:
    result = play(str(tmp_path / "missing.talk"), "127.0.0.1:1")
    assert (result.exit_code, result.stderr) == (2, f"Error: {tmp_path}/missing.talk: No such file or directory\n")
