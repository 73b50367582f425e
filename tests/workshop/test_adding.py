"""A new kind is a field, a runtime, a description and a test: one of each is added to a copy of the tree."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from answerback.language.reference import FAMILIES
from tests.docs.consoles import ROOT
from tests.workshop.additions import ADDITIONS, FUNCTION, PROTO, Addition

# A copy is generated, checked and tested, which takes 20 s.
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

MOST_FILES = 5
EVERYTHING = (*ADDITIONS, FUNCTION)
COPIED = ("proto", "service", "tests", "tools", "docs", "bench", "pyproject.toml", "Makefile", "README.md", "buf.yaml")
NOT_COPIED = shutil.ignore_patterns("node_modules", "__pycache__")
CHECKS = (
    "tests/language/test_registry.py",
    "tests/language/test_reference.py",
    "tests/test_generated.py",
    "tests/language/expressions",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with one kind more in every family, and what is generated of it."""
    folder = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
            )
        else:
            shutil.copy(source, folder / name)
    for addition in EVERYTHING:
        add(addition, folder)
    for module in ("tools.proto", "tools.reference", "tools.expressions", "tools.api_reference"):
        run(folder, "-m", module)
    return folder


def add(addition: Addition, folder: Path) -> None:
    """Write what a kind needs."""
    schema = folder / PROTO
    text = schema.read_text()
    for change, behind in ((addition.message, False), (addition.member, True)):
        if change is None:
            continue
        place, written = change
        assert place in text
        text = text.replace(place, place + written if behind else written + place, 1)
    schema.write_text(text)
    for name, source in addition.files.items():
        path = folder / name
        assert not path.exists()
        path.write_text(source)


def run(folder: Path, *arguments: str) -> str:
    """Run this Python in the copy; what it printed, if it succeeded."""
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": f"{folder}/service:{folder}"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python_files(additions: Sequence[Addition]) -> list[str]:
    return [name for addition in additions for name in addition.files]


@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.family)
def test_new_kind_needs_at_most_5_files_written_by_hand(addition: Addition) -> None:
    assert len(addition.touched) == 4
    assert len(addition.touched) <= MOST_FILES


def test_new_function_needs_3_files_written_by_hand() -> None:
    assert PROTO not in FUNCTION.touched
    assert len(FUNCTION.touched) == 3


def test_each_family_gets_a_new_kind() -> None:
    assert {addition.family for addition in ADDITIONS} == {family.message.DESCRIPTOR.name for family in FAMILIES}


def test_tests_of_the_tree_pass_with_the_new_kinds(copy: Path) -> None:
    tests = [name for name in python_files(EVERYTHING) if name.startswith("tests/")]
    run(copy, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *CHECKS, *tests)


def test_new_files_pass_types_lint_and_format(copy: Path) -> None:
    run(copy, "-m", "mypy", *(name for name in python_files(EVERYTHING) if name.startswith("service/")))
    run(copy, "-m", "ruff", "check", *python_files(EVERYTHING))
    run(copy, "-m", "ruff", "format", "--check", *python_files(EVERYTHING))


def test_explain_and_check_accept_the_new_kinds(copy: Path) -> None:
    (copy / "new.yaml").write_text(
        "listeners:\n  - name: it\n    address: 127.0.0.1:7000\n    framing: pairs\n    faults: [twice]\n"
        "    rules: [{when: {palindrome: true}, do: [{delay: {coin: {}}}, shout]},\n"
        '      {do: [send: {template: "${rot13(request)}"}]}]\n'
    )
    run(copy, "-m", "answerback.cli", "check", "new.yaml")
    told = run(copy, "-m", "answerback.cli", "explain", "new.yaml", "--say", "abaaxy")
    for shown in ('request 1: "ab" (pairs)', "is no palindrome", "faults[0] applies: twice", '< "AAAA"', '< "klkl"'):
        assert shown in told
