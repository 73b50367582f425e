"""Texts are plain English: words that docs/style.md excludes are in no page and in no other text for users."""

import re
from collections.abc import Iterator
from typing import Final

import click
import pytest

from answerback.cli import main
from answerback.metrics.families import FAMILIES
from tests.docs.consoles import FENCE, ROOT

WORDS: Final = re.compile(
    r"\b(whoever|whomever|whatsoever|nobody|somebody|anybody|everybody|anew|beneath|for ever|so many|so often|as often|"
    r"mend|mends|mended|responder|control api|in force|the books|by a word|in a word|once more|unless given|by chance|"
    r"passed over|what stands|stands beside|lets go|is told|are told|whereof|therein)\b",
    re.IGNORECASE,
)
# Titles of decisions are quoted: decisions are history, and are not rewritten.
DECISION: Final = re.compile(r"^.*\(docs/adr/.*$", re.MULTILINE)
# A place where a word is right: text, word, reason.
ALLOWED: Final[frozenset[tuple[str, str, str]]] = frozenset()


def helps(command: click.Command, path: str) -> Iterator[str]:
    """The help of a command and of the commands below it."""
    context = click.Context(command, info_name=path)
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            yield from helps(below, f"{path} {name}")


def texts() -> dict[str, str]:
    """Every text that the style applies to, by name: pages without their blocks of code, and texts of programs."""
    pages = sorted(ROOT.glob("*.md"))
    for room in ("bench", "deploy", "docs", "requirements", "service"):
        pages += [page for page in sorted((ROOT / room).rglob("*.md")) if page.parent.name != "adr"]
    found = {str(page.relative_to(ROOT)): DECISION.sub("", FENCE.sub("", page.read_text())) for page in pages}
    sources = [*(ROOT / "proto/answerback/v1").glob("*.proto"), *(ROOT / "deploy/prometheus/rules").glob("*.yml")]
    found |= {str(source.relative_to(ROOT)): re.sub(r"\n\s*//", "\n", source.read_text()) for source in sorted(sources)}
    files = [each for each in (ROOT / "deploy").rglob("*") if each.suffix in {".yaml", ".yml", ".tpl", ".txt"}]
    files += [ROOT / "Dockerfile", *(ROOT / "service" / "answerback" / "examples").glob("*.yaml")]
    found |= {str(each.relative_to(ROOT)): re.sub(r"\n\s*#", "\n", each.read_text()) for each in sorted(files)}
    found["HELP of the metrics"] = "\n".join(family.help for family in FAMILIES)
    found["answerback --help"] = "\n".join(helps(main, "answerback"))
    return found


TEXTS: Final = texts()


def excluded(text: str) -> set[str]:
    """The excluded words of a text, in lower case; a line break separates words as a blank does."""
    return {found[0].lower() for found in WORDS.finditer(" ".join(text.split()))}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_text_has_no_word_that_the_style_excludes(name: str) -> None:
    allowed = {word for text, word, _ in ALLOWED if text == name}
    assert excluded(TEXTS[name]) - allowed == set()


def test_each_allowed_word_has_a_reason_and_is_still_there() -> None:
    stale = [(name, word) for name, word, why in ALLOWED if not why or word not in excluded(TEXTS[name])]
    assert stale == []


def test_excluded_word_is_found_across_a_line_break() -> None:
    assert excluded("It fails so\n  many times, and Nobody sees it.") == {"so many", "nobody"}


def test_names_of_tests_have_no_excluded_word_and_can_be_read_in_a_line() -> None:
    names = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert len(names) > 2000
    assert {name for name in names if len(name) > 95 or excluded(name.replace("_", " "))} == set()
