"""Reading a configuration file, and saying what is wrong in it."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from answerback.cli.output import printable
from answerback.config.problems import Problem

STDIN = "-"


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
        yield printable(f"{place}: {severity}{replace(problem, line=None)}")


def refuse(path: str, problems: Iterable[Problem], consequence: str) -> click.ClickException:
    """The error of a refused configuration: every problem on a line of standard error, then how many."""
    found = list(problems)
    for line in lines(path, found):
        click.echo(line, err=True)
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return click.ClickException(f"{name(path)}: {count}; {consequence}")
