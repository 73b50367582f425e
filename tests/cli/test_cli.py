"""The command line as a whole."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from answerback import __version__
from answerback.cli import COMMANDS, GROUPS, main


def test_help_names_every_command_in_order() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    titles = re.findall(r"^(\S.*):$", result.stdout, re.MULTILINE)
    assert titles == ["Options", *GROUPS]
    listed = re.findall(r"^  ([\w-]+)  ", result.stdout.partition(f"{titles[1]}:")[2], re.MULTILINE)
    assert tuple(listed) == COMMANDS
    assert "answerback serve                      # answers" in result.stdout


def test_each_command_module_is_named_as_its_command() -> None:
    room = Path(sys.modules[main.__module__].__file__ or "").parent
    assert {name for name in COMMANDS if (room / f"{name.replace('-', '_')}.py").exists()} == set(COMMANDS)


def test_unknown_command_exits_with_2() -> None:
    result = CliRunner().invoke(main, ["sreve"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such command 'sreve'. Did you mean 'serve'?" in result.stderr


def test_command_unlike_any_other_gets_no_suggestion() -> None:
    assert CliRunner().invoke(main, ["qqq"]).stderr.endswith("Error: No such command 'qqq'.\n")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_option_prints_the_version(option: str) -> None:
    result = CliRunner().invoke(main, [option])
    assert (result.exit_code, result.stdout) == (0, f"answerback {__version__}\n")


def test_version_command_prints_the_version() -> None:
    result = CliRunner().invoke(main, ["version"])
    assert (result.exit_code, result.stdout.split()[:2]) == (0, ["answerback", __version__])
    data = json.loads(CliRunner().invoke(main, ["version", "-o", "json"]).stdout)
    assert (list(data), data["version"]) == (["version", "python", "machine"], __version__)


@pytest.mark.parametrize(
    "command", [[str(Path(sys.executable).with_name("answerback"))], [sys.executable, "-m", "answerback.cli"]]
)
def test_installed_command_and_python_m_run_the_same_program(command: list[str]) -> None:
    done = subprocess.run([*command, "version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"answerback {__version__} ")
