"""Documents are tested: links and names exist, everything is documented, and examples are valid."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import answerback
from answerback.cli import main
from answerback.v1.config_pb2 import Fault
from tests.docs.consoles import blocks

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
ROOMS = ("bench", "deploy", "docs", "requirements", "service", "tests")
FOUND = (*ROOT.glob("*.md"), *(page for room in ROOMS for page in (ROOT / room).rglob("*.md")))
PAGES = sorted(page for page in FOUND if "node_modules" not in page.parts)  # those, `make ci` has installed

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADINGS = ["Context", "Decision", "Rejected", "Consequences"]
PAGE_LINES = 60


def commands() -> set[str]:
    assert isinstance(main, click.Group)
    return set(main.list_commands(click.Context(main)))


def anchors(page: Path) -> set[str]:
    """What can be linked to in a page: its headings, as hosts of Git repositories make anchors of them."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+)$", prose, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", heading).strip().lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def sentences(page: Path) -> list[str]:
    """The sentences and the cells of tables of a page."""
    return [" ".join(each.split()) for each in re.split(r"[.|](?=\s)", page.read_text())]


def linked(page: Path) -> Iterator[tuple[Path, str]]:
    """The files of the repository that a page links to, with the anchor, if there is one."""
    for file, anchor in LINK.findall(page.read_text()):
        yield (page.parent / file).resolve() if file else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_in_documentation_resolve(page: Path) -> None:
    broken = [
        (str(file), anchor)
        for file, anchor in linked(page)
        if not file.exists() or (anchor and (file.suffix != ".md" or anchor not in anchors(file)))
    ]
    assert broken == []


def test_readme_lists_every_page_except_decisions() -> None:
    """Decisions are in a table of their own."""
    listed = README.read_text().partition("\n## Read on\n")[2].partition("\n## ")[0]
    named = {(ROOT / link).resolve() for link, _ in LINK.findall(listed)}
    assert {page for page in PAGES if page not in ADRS} - named == {README}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"^ +make ([a-z]+)|`make ([a-z ]+)", page.read_text(), re.MULTILINE)
    words = {word for pair in named for word in "".join(pair).split()}
    assert words <= targets


@pytest.mark.parametrize("kind", ["match", "step", "framing", "fault", "RPC"])
def test_contributing_guide_of_a_kind_links_its_field_test_and_code(kind: str) -> None:
    """That what it names exists, the links say."""
    _, walks = CONTRIBUTING.read_text().split(f"## Add a{'n' * (kind == 'RPC')} {kind}\n")
    named = [link for link, _ in LINK.findall(walks.partition("\n## ")[0])]
    for folder in ("proto/", "tests/", "service/answerback/c"):
        assert [link for link in named if link.startswith(folder)], f"nothing in {folder}"


def test_readme_begins_with_make_run_and_make_test() -> None:
    first = [line.strip().split("#")[0].strip() for line in README.read_text().splitlines()[1:] if line.strip()]
    assert first[:2] == ["make run", "make test"]


def test_pages_that_describe_a_restart_say_that_connections_may_be_reset() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()
    paragraphs = [part for part in operations.split("\n\n") if "`answerback restart` replaces" in part]
    schema = (ROOT / "proto" / "answerback" / "v1" / "operations_service.proto").read_text()
    described = schema.partition("message RestartWorkersRequest {")[2].partition("}")[0]
    helps = subprocess.run(
        [sys.executable, "-m", "answerback.cli", "restart", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert len(paragraphs) == 1
    assert all("reset" in text and "grace" in text for text in (*paragraphs, described, helps))


def test_pages_name_the_right_number_of_faults() -> None:
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    named = {
        number.lower()
        for page in PAGES
        if page not in ADRS
        for number in re.findall(rf"\b({'|'.join(words[3:])}) faults\b", page.read_text(), re.IGNORECASE)
    }
    assert named == {words[len(Fault.DESCRIPTOR.oneofs_by_name["kind"].fields)]}


def test_size_of_an_idle_connection_is_in_the_readme_only() -> None:
    """Other pages refer to it, so that there is one figure for each engine."""
    found = {
        str(page.relative_to(ROOT)): sum(
            "idle" in each and bool(re.search(r"connections?\b.*\bKiB\b", each)) for each in sentences(page)
        )
        for page in PAGES
        if page not in ADRS
    }
    assert {name: count for name, count in found.items() if count} == {"README.md": 1}
    assert "README.md#what-it-costs) lists the size of an idle connection" in (ROOT / "docs/operations.md").read_text()


def test_readme_names_every_command_and_no_other() -> None:
    named = set(re.findall(r"(?:^(?: +|\$ )|`)answerback ([a-z-]+)", README.read_text(), re.MULTILINE))
    assert named == commands()


def test_readme_configurations_are_valid(tmp_path: Path) -> None:
    examples = [block.text for block in blocks(README.read_text()) if block.words == ("yaml",)]
    assert examples
    for example in examples:
        file = tmp_path / "answerback.yaml"
        file.write_text(example)
        command = [str(Path(sys.executable).with_name("answerback")), "check", str(file)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_readme_architecture_names_every_package() -> None:
    house = next(block.text for block in blocks(README.read_text()) if "service/answerback/" in block.text)
    rooms = ROOT / "service" / "answerback"
    there = {path.name + "/" for path in rooms.iterdir() if path.is_dir() and path.name != "__pycache__"}
    there |= {path.name for path in rooms.glob("*.py") if path.name != "__init__.py"}
    assert {room for room in there if room not in house} == set()
    modules = re.findall(r"`(?:answerback\.)?((?:core|net|document|language|control|metrics)/\w+)`", README.read_text())
    missing = [each for each in modules if not (rooms / f"{each}.py").exists() and not (rooms / each).is_dir()]
    assert missing == []


def test_changelog_has_an_entry_for_this_version() -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert answerback.__version__ in versions


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(adr.name[:4]) for adr in ADRS] == list(range(1, len(ADRS) + 1))


@pytest.mark.parametrize("adr", ADRS, ids=lambda adr: str(adr.stem))
def test_decision_has_four_headings_and_is_listed_in_the_readme(adr: Path) -> None:
    text = adr.read_text()
    title, *rest = text.splitlines()
    assert title.startswith(f"# {int(adr.name[:4])}. ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert len(rest) < PAGE_LINES
    assert f"[{title.split('. ', 1)[1]}](docs/adr/{adr.name})" in README.read_text()
