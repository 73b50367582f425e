"""docs/reference/cli.md describes every command and option, and the examples of page and help are accepted."""

import re
import shlex
from pathlib import Path

import click
import pytest

from answerback.cli import COMMANDS, main

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/cli.md").read_text()
SECTION = re.compile(r"^##+ answerback ([\w -]+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(
    r"^\| `(--[a-z-]+)(?: ([^`]+))?` \| (?:`(\w+)`)? ?\| (?:`([^`]+)`|([^|]*?)) ?\| (.+) \|$", re.MULTILINE
)
SECTIONS = dict(SECTION.findall(PAGE))
PIECES = re.compile(r" \| | >>? | && | \|\| |#")


def command_of(path: str) -> click.Command:
    command: click.Command | None = main
    for name in path.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    assert command is not None
    return command


def with_those_below(name: str) -> list[str]:
    command = command_of(name)
    below = command.commands if isinstance(command, click.Group) else ()
    return [name, *(f"{name} {each}" for each in below)]


PATHS = [path for name in COMMANDS for path in with_those_below(name)]


def options_of(name: str) -> list[click.Option]:
    return [param for param in command_of(name).params if isinstance(param, click.Option) and not param.hidden]


def shared_options() -> list[click.Option]:
    """Those that every command has which calls the admin API; they stand in one table."""
    return [option for option in options_of("show") if option.callback is not None]


def metavar(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return r"\|".join(map(str, option.type.choices))
    return option.metavar or ""


def default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    return str(option.default) if option.show_default else ""


def row(option: click.Option) -> tuple[str, ...]:
    return max(option.opts, key=len), metavar(option), str(option.envvar or ""), default(option)


def rows(text: str) -> list[tuple[str, ...]]:
    return [(option, meta, env, code or text) for option, meta, env, code, text, _ in ROW.findall(text)]


def test_reference_has_a_section_for_each_command_in_order() -> None:
    assert list(SECTIONS) == PATHS


@pytest.mark.parametrize("name", PATHS)
def test_reference_lists_the_options_of_each_command(name: str) -> None:
    expected = options_of(name)
    if "server" in {option.name for option in expected}:
        shared = [option.opts for option in shared_options()]
        assert [option.opts for option in expected if option.opts in shared] == shared
        expected = [option for option in expected if option.opts not in shared]
    assert rows(SECTIONS[name]) == list(map(row, expected))


def test_shared_admin_options_are_documented_in_one_table() -> None:
    (section,) = re.findall(r"^## Connecting to the admin API\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    assert rows(section) == list(map(row, shared_options()))
    assert len(rows(section)) == 4


@pytest.mark.parametrize("name", PATHS)
def test_each_command_option_has_help_and_shows_its_variable(name: str) -> None:
    for option in options_of(name):
        assert (option.help or "").endswith("."), option.name
        assert bool(option.envvar) == bool(option.show_envvar), option.name


@pytest.mark.parametrize("name", PATHS)
def test_short_help_of_each_command_is_not_truncated(name: str) -> None:
    command = command_of(name)
    assert not command.get_short_help_str(60).endswith("...")


@pytest.mark.parametrize("name", PATHS)
def test_examples_in_help_are_accepted_by_the_parser(name: str) -> None:
    lines = [line.strip() for line in (command_of(name).epilog or "").splitlines() if "answerback" in line]
    examples = [
        shlex.split(piece)[1:]
        for line in lines
        for piece in PIECES.split(line)
        if piece.strip().startswith("answerback ")
    ]
    assert [example for example in examples if example[: len(name.split())] == name.split()]
    for example in examples:
        path = max((path for path in PATHS if example[: len(path.split())] == path.split()), key=len)
        command_of(path).make_context(path, example[len(path.split()) :])
