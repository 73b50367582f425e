"""`answerback completion`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from answerback.cli import COMMANDS, main
from answerback.cli.completion import SHELLS

COMPLETE = """
source <("$1" completion bash)
COMP_WORDS=(answerback "$2"); COMP_CWORD=1
_answerback_completion "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_prints_a_script_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"_ANSWERBACK_COMPLETE={shell}_complete" in result.stdout


def test_completion_without_argument_uses_the_shell_of_the_user() -> None:
    result = CliRunner().invoke(main, ["completion"], env={"SHELL": "/usr/bin/fish"})
    assert "_ANSWERBACK_COMPLETE=fish_complete" in result.stdout


@pytest.mark.parametrize("shell", ["/bin/dash", ""])
def test_completion_for_unknown_shell_exits_with_2(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion"], env={"SHELL": shell})
    assert (result.exit_code, result.stdout) == (2, "")
    assert "SHELL must be one of bash, zsh, fish" in result.stderr


@pytest.mark.parametrize("begun, completed", [("", set(COMMANDS)), ("st", {"status"}), ("x", {""})])
def test_completion_in_bash_completes_commands_and_options(begun: str, completed: set[str]) -> None:
    bash, command = shutil.which("bash"), Path(sys.executable).with_name("answerback")
    assert bash is not None
    given = [bash, "-c", COMPLETE, "bash", str(command), begun]
    done = subprocess.run(given, env=os.environ, capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()) == completed
