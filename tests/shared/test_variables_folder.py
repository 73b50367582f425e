"""The directory of the shared variables: where it is made, and when it is removed."""

import subprocess
import sys
from pathlib import Path

import pytest

from answerback.shared import variables_folder as room
from answerback.shared.variables_folder import PREFIX, variables_folder


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where directories are made."""
    monkeypatch.setattr(room, "PARENTS", (str(tmp_path),))
    return tmp_path


def test_directory_is_removed_at_the_end(parent: Path) -> None:
    with variables_folder() as folder:
        assert folder.parent == parent
        (folder / "file").write_text("x")
    assert list(parent.iterdir()) == []


def test_directory_is_made_where_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PARENTS", (str(tmp_path / "missing"), str(tmp_path)))
    with variables_folder() as folder:
        assert folder.parent == tmp_path
    monkeypatch.setattr(room, "PARENTS", (str(tmp_path / "missing"),))
    with pytest.raises(FileNotFoundError), variables_folder():
        pytest.fail("there is no room")


LEAVE = """
import os, sys
from answerback.shared import variables_folder as room
room.PARENTS = (sys.argv[1],)
with room.variables_folder() as folder:
    (folder / "file").write_text("x")
    os.kill(os.getpid(), 9)
"""


def test_directory_of_a_killed_server_is_removed_by_the_next_start(parent: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAVE, str(parent)], check=False)
    (left,) = parent.iterdir()
    with variables_folder() as folder:
        assert list(parent.iterdir()) == [folder]
        assert folder != left


def test_directory_of_a_running_server_and_other_files_stay(parent: Path) -> None:
    other = parent / "answerback-other"
    other.mkdir()
    file = parent / f"{PREFIX}file"
    file.write_text("x")
    with variables_folder() as first, variables_folder() as second:
        assert {*parent.iterdir()} == {first, second, other, file}
    assert {*parent.iterdir()} == {other, file}
