"""Texts are plain English: words that docs/style.md excludes are in no page, and in no text that a user reads."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.consoles import FENCE, ROOT

WORDS = re.compile(
    r"\b(whoever|whomever|whatsoever|nobody|somebody|anybody|everybody|anew|beneath|for ever|so many|so often|as often|"
    r"mend|mends|mended|responder|control api|in force|the books|by a word|in a word|once more)\b",
    re.IGNORECASE,
)
# Lines that quote the title of a decision: decisions are history, and are not rewritten.
DECISION = re.compile(r"^.*\(docs/adr/.*$", re.MULTILINE)
# A place where a word is right: page, word, reason.
ALLOWED: frozenset[tuple[str, str, str]] = frozenset()
EXCLUDED = (
    "docs/adr/",
    "docs/reference/cli.md",
    "docs/reference/configuration.md",
    "docs/reference/api.md",
    "docs/reference/metrics.md",
)


def pages() -> list[str]:
    """The pages for users and contributors; three references are generated from texts elsewhere."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    found += sorted((ROOT / "docs").rglob("*.md"))
    names = [str(path.relative_to(ROOT)) for path in found]
    return [name for name in names if not name.startswith(EXCLUDED)]


def faults(text: str) -> Iterator[str]:
    """The excluded words of a text, in lower case; line breaks are blanks."""
    yield from (" ".join(found[0].lower().split()) for found in WORDS.finditer(re.sub(r"\s+", " ", text)))


def prose(page: Path) -> str:
    """A page without its blocks of code and its titles of decisions."""
    return DECISION.sub("", FENCE.sub("", page.read_text()))


@pytest.mark.parametrize("name", pages())
def test_page_has_no_word_that_the_style_excludes(name: str) -> None:
    allowed = {word for page, word, _ in ALLOWED if page == name}
    assert set(faults(prose(ROOT / name))) - allowed == set()


def test_each_allowed_word_has_a_reason_and_is_still_there() -> None:
    stale = [(page, word) for page, word, why in ALLOWED if not why or word not in faults(prose(ROOT / page))]
    assert stale == []


def test_excluded_word_is_found_across_a_line_break() -> None:
    assert list(faults("It fails so\n  many times, and Nobody sees it.")) == ["so many", "nobody"]
