"""Texts are plain English: words that docs/style.md excludes are in no page, text for users, comment or docstring."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from answerback.cli import main
from answerback.metrics.families import FAMILIES
from tests.docs.consoles import FENCE, ROOT

WORDS: Final = re.compile(
    r"\b(whoever|whomever|whatsoever|nobody|somebody|anybody|everybody|anew|beneath|for ever|so many|so often|as often|"
    r"mend|mends|mended|responder|control api|in force|the books|by a word|in a word|once more|unless given|by chance|"
    r"passed over|what stands|stands beside|lets go|let go of|is told|are told|whereof|therein|besides|hears of|"
    r"in vain|to be had)\b",
    re.IGNORECASE,
)
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
        pages += sorted((ROOT / room).rglob("*.md"))
    found = {str(page.relative_to(ROOT)): FENCE.sub("", page.read_text()) for page in pages}
    sources = [*(ROOT / "proto/answerback/v1").glob("*.proto"), *(ROOT / "deploy/prometheus/rules").glob("*.yml")]
    found |= {str(source.relative_to(ROOT)): re.sub(r"\n\s*//", "\n", source.read_text()) for source in sorted(sources)}
    files = [each for each in (ROOT / "deploy").rglob("*") if each.suffix in {".yaml", ".yml", ".tpl", ".txt"}]
    files += [ROOT / "Dockerfile", *(ROOT / "service" / "answerback" / "examples").glob("*.yaml")]
    found |= {str(each.relative_to(ROOT)): re.sub(r"\n\s*#", "\n", each.read_text()) for each in sorted(files)}
    found["HELP of the metrics"] = "\n".join(family.help for family in FAMILIES)
    found["answerback --help"] = "\n".join(helps(main, "answerback"))
    return found


def remarks(file: Path) -> Iterator[tuple[int, str]]:
    """The comments and docstrings of a module, each with its first line; lines of comments without a gap are one."""
    source = file.read_text()
    found = {
        node.lineno: " ".join(node.value.value.split())
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    begun, last = 0, -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        text, line = token.string.lstrip("# "), token.start[0]
        alone = not token.line[: token.start[1]].strip()
        if alone and line == last + 1:
            found[begun] += f" {text}"
        else:
            begun = line
            found[begun] = f"{found.get(line, '')} {text}".strip()
        last = line
    yield from sorted(found.items())


TEXTS: Final = texts()


def excluded(text: str) -> set[str]:
    """The excluded words of a text, in lower case; a line break separates words as a blank does."""
    return {found[0].lower() for found in WORDS.finditer(" ".join(text.split()))}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_text_has_no_word_that_the_style_excludes(name: str) -> None:
    allowed = {word for text, word, _ in ALLOWED if text == name}
    assert excluded(TEXTS[name]) - allowed == set()


@pytest.mark.parametrize("room", ["bench", "service", "tests", "tools"])
def test_comments_and_docstrings_have_no_word_that_the_style_excludes(room: str) -> None:
    files = [file for file in sorted((ROOT / room).rglob("*.py")) if "_pb2" not in file.name]
    assert len(files) > 10
    found = {
        f"{file.relative_to(ROOT)}:{line}": words
        for file in files
        for line, text in remarks(file)
        if (words := excluded(text))
    }
    assert found == {}


def test_remarks_are_comments_as_a_whole_and_docstrings(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('"""One\n\ntwo."""\n# Three\n# four\nx = "five"  # six\n"""Seven."""\n')
    assert list(remarks(file)) == [(1, "One two."), (4, "Three four"), (6, "six"), (7, "Seven.")]


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
