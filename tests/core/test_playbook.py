"""A playbook notices actions that a test did not expect, also after its last `<<`."""

import subprocess
import sys
from pathlib import Path

import pytest

from answerback.core.actions import Action, Send
from tests.core.plans import plan, rule
from tests.core.playbook import Playbook, unexpected

CASES: list[tuple[bytes, list[list[Action]]]] = [(b"", []), (b"x\n", [[Send(b"two")]])]


@pytest.mark.parametrize("more, left", CASES)
def test_actions_after_the_last_expected_one_are_unexpected(more: bytes, left: list[list[Action]]) -> None:
    book = Playbook(plan(rule(Send(b"two")))) >> b"x\n" << Send(b"two")
    if more:
        book >> more
    assert unexpected() == left


def test_test_that_ends_with_an_unexpected_action_fails(tmp_path: Path) -> None:
    """A run of two tests of its own, with the fixture that all tests have."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import no_playbook_ends_with_unexpected_actions\n")
    (tmp_path / "test_it.py").write_text(
        "from answerback.core.actions import Send\n"
        "from tests.core.plans import plan, rule\n"
        "from tests.core.playbook import Playbook\n\n"
        "def test_complete():\n"
        '    Playbook(plan(rule(Send(b"two")))) >> b"x\\n" << Send(b"two")\n\n'
        "def test_incomplete():\n"
        '    Playbook(plan(rule(Send(b"two")))) >> b"x\\n" << Send(b"t")\n'
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    root = Path(__file__).parents[2]
    run = subprocess.run([*command, str(tmp_path)], cwd=root, capture_output=True, text=True, check=False)
    assert "2 passed, 1 error" in run.stdout, run.stdout
    assert "test_it.py::test_incomplete" in run.stdout
    assert "actions at the end of the test that it did not expect" in run.stdout
