"""Every command of the README, the tutorial and the how-tos, typed in order, with real processes."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certifying import Authority
from tests.docs.consoles import FENCE, ROOT, Block, Reader, blocks

# Processes come and go for 7 to 9 s, on a machine with nothing else to do.
pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
DRILL = ROOT / "docs" / "how-to" / "fault-drill.md"
JOURNAL = ROOT / "docs" / "how-to" / "journal.md"
IMPORT = ROOT / "docs" / "how-to" / "import.md"
RECORD = ROOT / "docs" / "how-to" / "record.md"
TLS = ROOT / "docs" / "how-to" / "tls.md"
HAPROXY = ROOT / "docs" / "how-to" / "haproxy.md"
RELAY = ROOT / "docs" / "how-to" / "relay.md"
TOXIPROXY = ROOT / "docs" / "how-to" / "toxiproxy.md"
PROXY_PROTOCOL = ROOT / "docs" / "how-to" / "proxy-protocol.md"
REFERENCE = ROOT / "docs" / "reference" / "cli.md"

# The two commands that the README begins with; the second is what runs this test.
TOP = """
    make run       # serves on port 8000; needs Linux, make, and Python 3.11 or newer with venv; no root
    make test      # runs the tests
"""
FIRST = Block("README.md:3", ("console", "server"), "$ make run\n…\nTry: printf hi | nc 127.0.0.1 8000\n")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a clone, the programs that every page needs, and certificates for a name."""
    lacking = [program for program in ("bash", "make", "nc", "curl") if not shutil.which(program)]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    if "-N" not in subprocess.run(["nc", "-h"], capture_output=True, text=True, check=False).stderr:
        pytest.skip("needs the nc of OpenBSD, which has -N")
    somebody = Reader(tmp_path, {"answerback.example": "127.0.0.1"})
    yield somebody
    somebody.end()


def page(path: Path) -> list[Block]:
    return blocks(path.read_text(), path.name)


def test_tutorial_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(TUTORIAL))


def test_fault_drill_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(DRILL))


def test_journal_page_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(JOURNAL))


def test_import_page_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(IMPORT))


def test_recording_page_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(RECORD))


def test_relay_page_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(RELAY))


def test_toxiproxy_page_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(TOXIPROXY))


@pytest.mark.programs
def test_haproxy_page_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(HAPROXY), "programs")


def test_proxy_protocol_page_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(PROXY_PROTOCOL))


@pytest.mark.programs
def test_proxy_protocol_page_commands_with_haproxy_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(PROXY_PROTOCOL), "programs")


@pytest.mark.programs
def test_tls_page_commands_print_what_the_page_shows(reader: Reader) -> None:
    reader.read(page(TLS), "programs")


def test_command_reference_examples_print_what_the_page_shows(reader: Reader) -> None:
    assert any(block.words == ("console",) for block in page(REFERENCE))
    reader.read(page(REFERENCE))


def certify(folder: Path) -> None:
    """The files of which the README says that they protect the admin API."""
    authority = Authority(folder)
    issued = authority.issue()
    for file, name in ((authority.certificate, "ca.crt"), (issued.certificate, "tls.crt"), (issued.key, "tls.key")):
        file.rename(folder / name)


def test_readme_commands_print_what_the_page_shows(reader: Reader) -> None:
    certify(reader.folder)
    reader.read([FIRST, *page(README)])


@pytest.mark.programs
def test_readme_commands_with_grpcurl_print_what_the_page_shows(reader: Reader) -> None:
    certify(reader.folder)
    reader.read([FIRST, *page(README)], "programs")


@pytest.mark.parametrize("path", [README, TUTORIAL], ids=lambda path: str(path.name))
def test_every_command_of_a_page_is_in_a_console_block(path: Path) -> None:
    """Commands stand in `console` blocks, but for the two that the README begins with."""
    text = path.read_text()
    assert {block.words[0] for block in page(path) if block.words} <= {"console", "yaml", "mermaid"}
    unmarked = [block.text for block in page(path) if not block.words]
    assert [text for text in unmarked if re.search(r"^\s*\$ |^answerback ", text, re.MULTILINE)] == []
    outside = FENCE.sub("", text).replace(TOP, "")
    assert re.findall(r"^(?: {4}|\t)(?![-*|]).*", outside, re.MULTILINE) == []
