"""Files that hold keys, certificates and tokens."""

import logging
import os
import socket
from pathlib import Path

import pytest

from answerback.tls.private_files import BadFile, Trouble, read
from tests.descriptors import descriptors


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"secret")
    return path


@pytest.mark.parametrize("mode, open_to_all", [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_private_file_read_gives_content_and_whether_open_to_all(file: Path, mode: int, open_to_all: bool) -> None:
    file.chmod(mode)
    found = read(file)
    assert (found.content, found.open_to_all) == (b"secret", open_to_all)
    assert "secret" not in repr(found)


def why(path: Path, most: int = 100) -> str:
    with pytest.raises(BadFile) as caught:
        read(path, most)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_private_file_that_is_missing_is_rejected(tmp_path: Path) -> None:
    assert why(tmp_path / "none") == "No such file or directory"


def test_private_file_that_is_a_directory_is_rejected(tmp_path: Path) -> None:
    assert why(tmp_path) == "Is a directory"


def test_named_pipe_is_rejected_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert why(tmp_path / "pipe") == "is not a regular file"


def test_private_file_that_is_a_socket_is_rejected(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        assert why(tmp_path / "socket") == "No such device or address"


def test_private_file_past_its_size_limit_is_rejected(file: Path) -> None:
    assert read(file, 6).content == b"secret"
    assert why(file, 5) == "has more than 5 bytes"


def test_reading_private_files_leaves_no_descriptor_open(file: Path, tmp_path: Path) -> None:
    before = descriptors()
    for _ in range(10):
        read(file)
        why(tmp_path)
        why(file, 5)
    assert descriptors() <= before


def test_private_file_problem_is_logged_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("what was there")
    gone, empty = BadFile(Path("a"), "is gone"), BadFile(Path("a"), "is empty")
    for error in (gone, gone, empty):
        trouble.met(error)
    trouble.over()
    trouble.met(empty)
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.ERROR, "what was there is still used: a: is gone"),
        (logging.ERROR, "what was there is still used: a: is empty"),
        (logging.ERROR, "what was there is still used: a: is empty"),
    ]
