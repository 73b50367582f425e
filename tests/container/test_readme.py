"""The README's commands for a container, typed on a real engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.docker import ROOT, docker, has_image
from tests.docs.consoles import Reader, blocks

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]  # it builds the image


@pytest.fixture
def reader(image: str, tmp_path: Path) -> Iterator[Reader]:
    """A reader whose clone is this tree, and whose image has a name of its own."""
    theirs = f"{image}-readme"  # built as they build it, and so another image
    exchanged = {
        "docker build -t answerback .": f"docker build --network host -t {theirs} {ROOT}",
        "docker run --rm -p 8000:8000 answerback": f"docker run --rm -p 127.0.0.1:8000:8000 {theirs}",
    }
    somebody = Reader(tmp_path, exchanged, seconds=500)
    yield somebody
    somebody.end()
    if has_image(theirs):
        docker("image", "rm", theirs)


def test_readme_container_commands_print_what_the_page_shows(reader: Reader) -> None:
    page = [block for block in blocks((ROOT / "README.md").read_text(), "README.md") if "container" in block.words]
    asked = blocks("```console\n$ printf hi | nc 127.0.0.1 8000\nHello, World!\n```\n")
    stopped = blocks("```console container engine\n^C\n…\n```\n")
    assert len(page) == 2
    reader.read([*page, *asked, *stopped], "container")
