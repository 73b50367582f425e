"""The guide: every file on it is used by a command, and every command prints what the page shows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.language.lint import warnings
from tests.docs.consoles import FILE, ROOT, Block, Reader, blocks, commands
from tests.language.configurations import problems_of

GUIDE = ROOT / "docs" / "guide.md"
INVALID = "wrong.yaml"


def page() -> list[Block]:
    return blocks(GUIDE.read_text(), GUIDE.name)


def files() -> dict[str, str]:
    """The configurations of the page by name."""
    named = [(FILE.match(block.text), block.text) for block in page() if block.words == ("yaml",)]
    assert all(name for name, _ in named)
    return {name[1]: text for name, text in named if name}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    if not shutil.which("bash"):
        pytest.skip("needs bash")
    reader = Reader(tmp_path)
    yield reader
    reader.end()


@pytest.mark.timeout(600)  # each command starts a process, and a busy machine takes long for it
def test_guide_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page())


def test_every_block_of_the_guide_is_a_file_a_console_or_a_picture() -> None:
    assert {block.words for block in page()} == {("yaml",), ("console",), ("mermaid",)}


def test_every_file_of_the_guide_is_named_by_a_command_that_follows() -> None:
    assert len(files()) > 10
    unused: list[str] = []
    for block in page():
        if named := FILE.match(block.text):
            unused.append(named[1])
        elif block.words == ("console",):
            typed = " ".join(command.line for command in commands(block.text))
            unused = [name for name in unused if name not in typed]
    assert unused == []


@pytest.mark.parametrize("name, text", files().items(), ids=files())
def test_files_of_the_guide_are_valid_and_free_of_likely_mistakes(name: str, text: str) -> None:
    if name == INVALID:
        assert problems_of(text)
    else:
        assert problems_of(text) == []
        assert warnings(load(text).config) == []


def test_guide_has_no_table_of_fields() -> None:
    """Fields are described in the reference, which is generated."""
    assert not any(line.startswith("|") for line in GUIDE.read_text().splitlines())
