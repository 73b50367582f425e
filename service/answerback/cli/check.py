"""`answerback check`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from answerback.cli import options, output, source

if TYPE_CHECKING:
    from answerback.language.problems import Problem


@click.command(
    "check",
    short_help="Validate a configuration file.",
    epilog="""\b
Examples:
  answerback check answerback.yaml && answerback apply answerback.yaml
  answerback check -o json answerback.yaml | jq .problems[].path
  git show HEAD:answerback.yaml | answerback check -""",
)
@source.FILE
@options.output("table", "json", "yaml")
@options.admin
@options.metrics("Address that `serve` would use for metrics and probes; listeners must not overlap it.")
def command(file: str, form: str, admin: str, metrics: str) -> None:
    """Validate FILE and print every problem: exit 0 if `serve` would accept it, 1 if not.

    It also prints warnings for likely mistakes. It does not contact a running server and does not check whether ports
    are free. `-` reads standard input.
    """
    from answerback.control.address import reserved

    try:
        examined = source.examine(file, reserved(admin, metrics))
    except click.ClickException as unreadable:
        raise source.NoAnswer(unreadable.message) from None
    problems, warnings = examined.problems, examined.warnings
    if form == "table":
        _lines(file, problems, warnings)
    else:
        listed = [*_listed("error", problems), *_listed("warning", warnings)]
        output.write({"file": source.name(file), "ok": not problems, "problems": listed}, form)
    if problems:
        raise click.exceptions.Exit(1)


def _lines(file: str, problems: Sequence["Problem"], warnings: Sequence["Problem"]) -> None:
    for line in source.lines(file, problems):
        output.line(line)
    for line in source.lines(file, warnings, "warning: "):
        output.line(line)
    verdict = f"{len(problems)} problem{'s' * (len(problems) != 1)}" if problems else "valid"
    output.line(f"{source.name(file)}: {verdict}", err=True)


def _listed(severity: str, problems: Sequence["Problem"]) -> list[dict[str, Any]]:
    return [
        {"severity": severity, "path": one.path, "message": one.message, "line": one.line, "column": one.column}
        for one in problems
    ]
