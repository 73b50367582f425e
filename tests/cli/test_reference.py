"""docs/reference/cli.md says what the commands say, and the examples of both are taken."""

import re
import shlex
from pathlib import Path

import click
import pytest

from answerback.cli import COMMANDS, main

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/cli.md").read_text()
SECTION = re.compile(r"^## answerback (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(
    r"^\| `(--[a-z-]+)(?: ([^`]+))?` \| (?:`(\w+)`)? ?\| (?:`([^`]+)`|([^|]*?)) ?\| (.+) \|$", re.MULTILINE
)
SECTIONS = dict(SECTION.findall(PAGE))
PIECES = re.compile(r" \| | >>? | && | \|\| |#")


def command_of(name: str) -> click.Command:
    assert isinstance(main, click.Group)
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return command


def options_of(name: str) -> list[click.Option]:
    return [param for param in command_of(name).params if isinstance(param, click.Option)]


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


def test_every_command_has_its_section_in_order() -> None:
    assert tuple(SECTIONS) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_are_those_of_the_command(name: str) -> None:
    rows = [(option, meta, env, code or text) for option, meta, env, code, text, _ in ROW.findall(SECTIONS[name])]
    assert rows == [
        (max(option.opts, key=len), metavar(option), option.envvar or "", default(option))
        for option in options_of(name)
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does_and_shows_its_variable(name: str) -> None:
    for option in options_of(name):
        assert (option.help or "").endswith("."), option.name
        assert bool(option.envvar) == bool(option.show_envvar), option.name


@pytest.mark.parametrize("name", COMMANDS)
def test_short_help_is_whole(name: str) -> None:
    command = command_of(name)
    assert not command.get_short_help_str(60).endswith("...")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_the_help_are_taken(name: str) -> None:
    lines = [line.strip() for line in (command_of(name).epilog or "").splitlines() if "answerback" in line]
    examples = [
        shlex.split(piece)[1:]
        for line in lines
        for piece in PIECES.split(line)
        if piece.strip().startswith("answerback ")
    ]
    assert [example for example in examples if example[0] == name]
    for example in examples:
        command_of(example[0]).make_context(example[0], example[1:])
