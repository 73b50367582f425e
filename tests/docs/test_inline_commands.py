"""Commands between backticks in prose are given to their own parser, which must accept them."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from answerback.cli import main
from tests.docs.consoles import FENCE, ROOT

ROOMS = ("deploy", "docs", "service")
PAGES = [*ROOT.glob("*.md"), *(page for room in ROOMS for page in (ROOT / room).rglob("*.md"))]
INLINE = re.compile(r"`(answerback\s[^`]+)`")
# Each would go on serving, or ask for what the prose does not say.
ONLY_OPTIONS = ("serve", "explain", "record", "proxy")
USAGE = 2


def found() -> list[tuple[str, str]]:
    """The commands of all pages with their page; what a shell does with their output is left out."""
    return [
        (str(page.relative_to(ROOT)), part.strip().rstrip(")"))
        for page in sorted(PAGES)
        for text in INLINE.findall(FENCE.sub("", page.read_text()))
        for part in re.split(r"&&|[|>]|\$\(", " ".join(text.split()))
        if part.strip().startswith("answerback ") and "COMMAND" not in part
    ]


def complaint(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command line has against a command; nothing if it understands it."""
    name, *words = shlex.split(line)[1:]
    assert isinstance(main, click.Group)
    command = main.get_command(click.Context(main), name)
    if command is None:
        return f"no such command: {name}"
    if not words:
        return ""  # a mention, without its arguments
    if name in ONLY_OPTIONS:
        try:
            command.make_parser(click.Context(command, info_name=name)).parse_args(list(words))
        except click.UsageError as error:
            return error.format_message()
        return ""
    monkeypatch.chdir(folder)
    for word in words:
        if word == "FILE" or word.endswith(".yaml"):
            (folder / word).write_text("listeners: []\n")
    environment = {"ANSWERBACK_SERVER": f"unix:{folder}/nothing", "ANSWERBACK_METRICS": f"unix:{folder}/nothing"}
    result = CliRunner().invoke(main, [name, *words], env=environment)
    return result.output if result.exit_code == USAGE and "Usage:" in result.output else ""


@pytest.mark.parametrize("page, line", found())
def test_inline_command_is_accepted_by_its_parser(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert complaint(line, tmp_path, monkeypatch) == "", page


@pytest.mark.parametrize(
    "line",
    [
        "answerback no-such-command",
        "answerback serve --no-such-option",
        "answerback status --no-such-option",
        "answerback reset-counters --fault flaky",
        "answerback drain --over soon",
    ],
)
def test_invalid_inline_command_is_reported(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complaint(line, tmp_path, monkeypatch)
