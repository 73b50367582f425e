import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from answerback.language import files, payloads
from answerback.language.check import check
from answerback.language.files import FilesBeneath, FilesBeside, read_files
from tests.descriptors import descriptors
from tests.language.configurations import rule, said

TWICE = rule("when: {prefix: {file: a}}, do: [send: {file: a}, send: {file: b}]")


def test_file_named_twice_is_read_once() -> None:
    asked = []

    def read(name: str) -> bytes:
        asked.append(name)
        return name.encode()

    assert read_files(TWICE, read) == ({"a": b"a", "b": b"b"}, [])
    assert asked == ["a", "b"]


def test_each_field_that_names_a_payload_file_has_it_read() -> None:
    config = rule(
        "when: {all: [{equals: {file: a}}, {bytes: {equals: {file: b}, mask: {file: c}}}]},"
        "do: [send: {file: d}, framing: {delimiter: {end: {file: e}}}, set: {name: x, value: {file: f}}]"
    )
    config.listeners[0].framing.delimiter.end.file = "g"
    named = dict.fromkeys("abcdefg", b".")
    assert read_files(config, lambda _name: b".") == (named, [])
    assert check(config, named) == []


def test_unreadable_payload_file_is_a_problem_at_each_place() -> None:
    def read(name: str) -> bytes:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)

    found, problems = read_files(TWICE, read)
    assert found == {}
    assert said(problems) == [
        "listeners[0].rules[0].when.prefix.file: cannot read 'a': No such file or directory",
        "listeners[0].rules[0].do[0].send.file: cannot read 'a': No such file or directory",
        "listeners[0].rules[0].do[1].send.file: cannot read 'b': No such file or directory",
    ]


@pytest.mark.parametrize("name", ['""', '"a\\0b"', "a/" * 3000])
def test_payload_file_with_invalid_name_is_rejected(name: str) -> None:
    _, (problem,) = read_files(rule(f"do: [send: {{file: {name}}}]"), lambda _: b"")
    assert problem.message.endswith("that is not a file name")


def test_files_beyond_the_total_size_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES_IN_ALL", 15)
    found, problems = read_files(TWICE, lambda _: b"0123456789")
    assert list(found) == ["a"]
    assert said(problems) == [
        "listeners[0].rules[0].do[1].send.file: cannot read 'b': all files together are more than 15 bytes",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files in it, and one beside it."""
    inside = tmp_path / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "reply.bin").write_bytes(b"\x00reply")
    (inside / "deep" / "reply.bin").write_bytes(b"deep")
    (tmp_path / "secret").write_bytes(b"secret")
    return inside


def refusal(read: files.Read, name: str) -> str:
    with pytest.raises(OSError) as caught:
        read(name)
    return str(caught.value.strerror)


def test_configuration_file_may_name_payload_files_anywhere(folder: Path) -> None:
    read = FilesBeside(folder / "answerback.yaml")
    assert read("reply.bin") == b"\x00reply"
    assert read("deep/reply.bin") == b"deep"
    assert read("../secret") == b"secret"
    assert read(str(folder.parent / "secret")) == b"secret"
    assert refusal(read, "nowhere") == "No such file or directory"


def test_api_may_name_payload_files_in_its_folder(folder: Path) -> None:
    read = FilesBeneath(folder)
    assert read("reply.bin") == b"\x00reply"
    assert read("deep/reply.bin") == read("deep/../deep/reply.bin") == b"deep"
    assert read(str(folder / "reply.bin")) == b"\x00reply"
    assert refusal(read, "nowhere") == "No such file or directory"


@pytest.mark.parametrize(
    "name", ["../secret", "deep/../../secret", "link", "way/secret", "..", "/etc/passwd", "../inside2/x"]
)
def test_api_reads_no_payload_file_outside_its_folder(folder: Path, name: str) -> None:
    (folder.parent / "inside2").mkdir()
    (folder.parent / "inside2" / "x").write_bytes(b"x")
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "way").symlink_to(folder.parent)
    assert refusal(FilesBeneath(folder), name) == "it is outside the directory of `serve --files`"


def test_symlinks_within_the_directory_are_followed(folder: Path) -> None:
    (folder / "..data").symlink_to("deep")
    (folder / "mounted").symlink_to("..data/reply.bin")
    assert FilesBeneath(folder)("mounted") == b"deep"


def test_symlink_created_after_the_check_is_not_followed(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "secret")
    with pytest.raises(OSError) as caught:
        files._open_beneath(folder, Path("link"))
    assert caught.value.errno == errno.ELOOP
    (folder / "way").symlink_to(folder.parent)
    with pytest.raises(OSError):
        files._open_beneath(folder, Path("way/secret"))


def test_api_without_files_folder_reads_no_payload_file() -> None:
    assert refusal(FilesBeneath(None), "reply.bin") == (
        "files cannot be read through the API without `serve --files DIR`"
    )


def test_payload_file_that_is_not_regular_is_rejected_without_waiting(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    for read in (FilesBeside(folder / "a.yaml"), FilesBeneath(folder)):
        assert refusal(read, "pipe") == "that is not a regular file"
        assert refusal(read, "deep") == "that is not a regular file"
        assert refusal(read, ".") == "that is not a regular file"
        with pytest.raises(OSError):
            read("loop")
    assert refusal(FilesBeside(folder / "a.yaml"), "/dev/zero") == "that is not a regular file"


def test_file_larger_than_16_mib_is_rejected(folder: Path) -> None:
    with (folder / "large").open("wb") as file:
        file.truncate(payloads.MAX_BYTES + 1)
    assert refusal(FilesBeneath(folder), "large") == "it is longer than 16777216 bytes"
    os.truncate(folder / "large", payloads.MAX_BYTES)
    assert len(FilesBeneath(folder)("large")) == payloads.MAX_BYTES


def test_reading_payload_files_leaves_no_descriptor_open(folder: Path) -> None:
    before = descriptors()
    for name in ("reply.bin", "deep", "nowhere", "deep/nowhere", "nowhere/deep", "reply.bin/x"):
        for read in (FilesBeneath(folder), FilesBeside(folder / "a.yaml")):
            with suppress(OSError):
                read(name)
    assert descriptors() <= before
