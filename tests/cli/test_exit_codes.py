"""Every command exits alike, as the table in docs/reference/cli.md says."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from answerback.cli import main
from tests.cli.test_reference import PAGE, PATHS, command_of
from tests.ports import free_port

ANSWERS = (
    "check",
    "explain",
    "diff",
    "play",
    "verify",
    "import mountebank",
    "import toxiproxy",
)  # they exit with 1 for the answer no
CONFIG = "listeners: [{name: a, address: '127.0.0.1:7000', framing: line, rules: [{when: PING, do: [echo]}]}]\n"
INVALID = "listeners: [{name: a, address: nowhere}]\n"

# What each command that takes arguments is given. Files: CONFIG, INVALID and MISSING.
ARGUMENTS: dict[str, list[str]] = {
    "check": ["FILE"],
    "explain": ["FILE", "--say", "PING\\n"],
    "diff": ["FILE"],
    "apply": ["FILE"],
    "rollback": ["1"],
    "close": ["1-1"],
    "play": ["TALK", "127.0.0.1:1"],
    "signal": ["go"],
    "import mountebank": ["FILE"],
    "import toxiproxy": ["FILE"],
    "listeners get": ["a"],
    "listeners create": ["FILE"],
    "listeners update": ["FILE"],
    "listeners set": ["a", "accept=STALL"],
    "listeners delete": ["a"],
    "fault add": ["a", "drop"],
    "fault remove": ["a", "drop"],
    "run": ["--", "true"],
}
TAKES_FILE = [name for name, given in ARGUMENTS.items() if {"FILE", "TALK"} & set(given)]
ANY_NUMBER = {"close", "listeners set", "fault add", "run"}  # of arguments
LEAVES = [path for path in PATHS if not isinstance(command_of(path), click.Group)]
CALLS_API = [path for path in LEAVES if {"server"} & {option.name for option in command_of(path).params}]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for name, text in (("FILE", CONFIG), ("INVALID", INVALID), ("TALK", "> eof\n"), ("BAD_TALK", "say hi\n")):
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in ("FILE", "INVALID", "TALK", "BAD_TALK", "MISSING")}


def run(path: str, *words: str, **env: str) -> Result:
    return CliRunner().invoke(main, [*path.split(), *words], env=env)


def given(path: str, files: dict[str, str], file: str = "") -> list[str]:
    """The arguments of a command; `file` stands in for the file in them."""
    return [files[file or word] if word in {"FILE", "TALK"} else word for word in ARGUMENTS.get(path, [])]


@pytest.mark.parametrize("path", [path for path in LEAVES if path != "run"])  # its options may be those of COMMAND
def test_unknown_option_exits_with_2(path: str) -> None:
    result = run(path, "--nonsense")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such option" in result.stderr


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in ANY_NUMBER])
def test_surplus_argument_exits_with_2(path: str, files: dict[str, str]) -> None:
    result = run(path, *given(path, files), "x", "y", "z")
    assert (result.exit_code, result.stdout) == (2, "")


def test_unknown_command_exits_with_2() -> None:
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2
    assert run("listeners nonsense").exit_code == 2
    assert run("fault nonsense").exit_code == 2


@pytest.mark.parametrize("path", [path for path in CALLS_API if path != "explain"])
def test_command_without_a_server_exits_with_1_or_has_no_answer(path: str, files: dict[str, str]) -> None:
    server = f"127.0.0.1:{free_port()}"
    result = run(path, *given(path, files), "--server", server)
    assert (result.exit_code, result.stdout) == (2 if path in ANSWERS else 1, "")
    assert f"no Answerback server at {server}" in result.stderr


def test_explanation_without_a_server_has_no_answer() -> None:
    server = f"127.0.0.1:{free_port()}"
    for words in (["--server", server], ["--server", server, "--exchange", "1"]):
        result = run("explain", *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"no Answerback server at {server}" in result.stderr


@pytest.mark.parametrize("path", TAKES_FILE)
def test_file_that_cannot_be_read_exits_with_1_or_is_no_answer(path: str, files: dict[str, str]) -> None:
    result = run(path, *given(path, files, "MISSING"))
    assert (result.exit_code, result.stdout) == (2 if path in ANSWERS else 1, "")
    assert "No such file or directory" in result.stderr


@pytest.mark.parametrize(
    "path", [path for path in TAKES_FILE if path not in {"check", "play", "import mountebank", "import toxiproxy"}]
)
def test_invalid_file_exits_with_1_or_is_no_answer(api: Any, path: str, files: dict[str, str]) -> None:
    Path(files["INVALID"]).write_text("listeners: [{nonsense: a}]\n")
    result = run(path, *given(path, files, "INVALID"))
    assert (result.exit_code, result.stdout) == (2 if path in ANSWERS else 1, "")
    assert "nonsense" in result.stderr
    assert api.asked == []


def test_answers_of_files_are_0_and_1(files: dict[str, str]) -> None:
    assert run("check", files["FILE"]).exit_code == 0
    assert run("check", files["INVALID"]).exit_code == 1
    assert run("explain", files["FILE"], "--say", "PING\\n").exit_code == 0
    assert run("explain", files["FILE"], "--say", "PONG\\n").exit_code == 1
    assert run("play", files["BAD_TALK"], "127.0.0.1:1").exit_code == 2
    assert run("play", files["TALK"], f"127.0.0.1:{free_port()}").exit_code == 1


def test_health_without_a_server_is_not_ready() -> None:
    assert run("health", "--metrics", f"127.0.0.1:{free_port()}").exit_code == 1


def test_page_names_the_commands_of_its_table() -> None:
    table = PAGE.partition("## Exit codes")[2].partition("\n## ")[0]
    named = ", ".join(f"`{name}`" for name in ANSWERS)
    assert f"| {named} | the answer is yes" in table
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    for row in rows:
        for name in row.split(","):
            assert command_of(name.strip().strip("`").partition(" --")[0]).name
