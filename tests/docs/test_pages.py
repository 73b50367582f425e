"""The README and the tutorial, typed by a reader from their first command to the last, with real processes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.consoles import ROOT, Block, Reader, blocks

TUTORIAL = ROOT / "docs" / "tutorial.md"
README = ROOT / "README.md"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody with a clone, and the programs that every page asks for."""
    lacking = [program for program in ("bash", "make", "nc", "curl") if not shutil.which(program)]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    somebody = Reader(tmp_path)
    yield somebody
    somebody.end()


def page(path: Path) -> list[Block]:
    return blocks(path.read_text(), path.name)


def test_the_tutorial_goes_as_written(reader: Reader) -> None:
    reader.read(page(TUTORIAL))
