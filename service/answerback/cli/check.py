"""`answerback check`."""

import resource
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from answerback.cli import options, output, source

if TYPE_CHECKING:
    from answerback.config import Problem


@click.command(
    "check",
    short_help="Say everything that is wrong with a configuration.",
    epilog="""\b
Examples:
  answerback check answerback.yaml && answerback apply answerback.yaml
  answerback check -o json answerback.yaml | jq .problems[].path
  git show HEAD:answerback.yaml | answerback check -""",
)
@click.argument("file", type=click.Path(readable=False, allow_dash=True))
@options.output("table", "json", "yaml")
@options.admin
@options.metrics("Where metrics and probes would be served: no listener may be there.")
def command(file: str, form: str, admin: str, metrics: str) -> None:
    """Say everything that is wrong with FILE, as `serve` would: exit 0 if it would be served, 1 if not.

    It also warns of what is allowed and probably not meant. Nothing is asked of a running responder: whether a port is
    free, only `serve` finds out. `-` reads standard input.
    """
    problems, warnings = _found(file, (("the admin API", admin), ("the metrics", metrics)))
    if form == "table":
        _lines(file, problems, warnings)
    else:
        listed = [*_listed("error", problems), *_listed("warning", warnings)]
        output.write({"file": source.name(file), "ok": not problems, "problems": listed}, form)
    if problems:
        raise click.exceptions.Exit(1)


def _found(file: str, reserved: tuple[tuple[str, str], ...]) -> tuple[list["Problem"], list["Problem"]]:
    """What is wrong, and what is probably not meant."""
    from answerback import config

    document = config.load(source.read(file))
    beside = Path.cwd() / "stdin" if file == source.STDIN else Path(file)
    files, unread = config.read_files(document.config, config.FilesBeside(beside))
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wrong = config.check(document.config, files, reserved=reserved, descriptor_limit=limit)
    problems = [*document.problems, *document.located([*unread, *wrong])]
    return _in_order(problems), _in_order(document.located(config.warnings(document.config)))


def _in_order(problems: Iterable["Problem"]) -> list["Problem"]:
    """As they stand in the file."""
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))


def _lines(file: str, problems: list["Problem"], warnings: list["Problem"]) -> None:
    for line in source.lines(file, problems):
        click.echo(line)
    for line in source.lines(file, warnings, "warning: "):
        click.echo(line)
    verdict = f"{len(problems)} problem{'s' * (len(problems) != 1)}" if problems else "can be served"
    click.echo(f"{source.name(file)}: {verdict}", err=True)


def _listed(severity: str, problems: list["Problem"]) -> list[dict[str, Any]]:
    return [
        {"severity": severity, "path": one.path, "message": one.message, "line": one.line, "column": one.column}
        for one in problems
    ]
