"""Each promise in docs/reliability.md has a figure and names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "reliability.md"
ROW = re.compile(r"^\| (?!promise \|)(?!---)(.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
COLUMNS = 4


def rows() -> list[list[str]]:
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in ROW.findall(PAGE.read_text())]


def test_promise_has_all_columns_and_names_a_test() -> None:
    assert [row for row in rows() if len(row) != COLUMNS or not all(row[:3]) or not NAMED.search(row[2])] == []


def test_tests_named_by_promises_exist() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in NAMED.findall(PAGE.read_text())
        if not (ROOT / file).is_file() or (name and not re.search(rf"def {name}\(", (ROOT / file).read_text()))
    ]
    assert missing == []
