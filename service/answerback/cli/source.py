"""Reading a configuration file, and saying what is wrong in it."""

import resource
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from answerback.cli import output
from answerback.language.contents import Files
from answerback.language.problems import Problem

if TYPE_CHECKING:
    from answerback.v1 import config_pb2 as v1

STDIN = "-"
FILE: Final = click.argument("file", type=click.Path(readable=False, allow_dash=True))
"""The argument of a command that reads one, as `read` does."""


class NoAnswer(click.ClickException):
    """A command that answers a question cannot: exit code 2, because 1 is the answer no."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Examined:
    """A configuration file, its errors and its warnings, each with its line."""

    config: "v1.Config"
    files: Files
    problems: Sequence[Problem]
    warnings: Sequence[Problem]


def examine(path: str, reserved: Sequence[tuple[str, str]] = ()) -> Examined:
    """Check all of a configuration file that needs no running server. Raises ClickException if it cannot be read.

    `reserved`: see `language.check`.
    """
    from answerback.document.document import load
    from answerback.language.check import check
    from answerback.language.files import FilesBeside, read_files
    from answerback.language.lint import warnings
    from answerback.language.tls_files import read_materials, rejected_by_clients, with_absolute_paths

    document = load(read(path))
    beside = Path.cwd() / "stdin" if path == STDIN else Path(path)
    files, unread = read_files(document.config, FilesBeside(beside))
    config = with_absolute_paths(document.config, beside.parent)
    materials, untrusted = read_materials(config, {})
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wrong = check(document.config, files, reserved=reserved, descriptor_limit=limit)
    problems = [*document.problems, *document.located([*unread, *untrusted, *wrong])]
    unmeant = document.located([*warnings(document.config, problems), *rejected_by_clients(config, materials)])
    return Examined(document.config, files, _in_order(problems), _in_order(unmeant))


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))


def read(path: str) -> bytes:
    """What is in a file, or comes in on standard input for `-`. Raises ClickException."""
    try:
        return sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from None


def name(path: str) -> str:
    """What a file is called in messages."""
    return "<stdin>" if path == STDIN else path


def lines(path: str, problems: Iterable[Problem], severity: str = "") -> Iterable[str]:
    """`FILE:LINE:COLUMN: PATH: MESSAGE`, as editors and terminals know to jump to."""
    for problem in problems:
        place = f"{name(path)}:{problem.line}:{problem.column}" if problem.line is not None else name(path)
        yield f"{place}: {severity}{replace(problem, line=None)}"


def refuse(path: str, problems: Iterable[Problem], consequence: str) -> click.ClickException:
    """The error of a rejected configuration: every problem on a line of standard error, then how many."""
    found = list(problems)
    for line in lines(path, found):
        output.line(line, err=True)
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return click.ClickException(f"{name(path)}: {count}; {consequence}")
