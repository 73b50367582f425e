"""`answerback examples`."""

import difflib
from importlib import resources
from typing import TYPE_CHECKING

import click

from answerback.cli import options, output

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

# Rule: an example is a file of the package, printed as it stands; its first line of comment says what it is for.

SUFFIX = ".yaml"


@click.command(
    "examples",
    short_help="List the example configurations, or print one.",
    epilog="""\b
Examples:
  answerback examples
  answerback examples redis-ping > my.yaml && answerback serve --config my.yaml
  answerback examples smtp | answerback check -
  answerback examples -o json | jq -r .examples[].name""",
)
@click.argument("name", required=False)
@click.option("--talk", is_flag=True, help="Print the talk of the example NAME: see `answerback play`.")
@options.output("table", "json", "yaml")
def command(name: str | None, talk: bool, form: str) -> None:
    """List the example configurations; with NAME, print that one, ready for `serve --config`.

    With `-o json` or `-o yaml`, the output has the example's `purpose`, and its text in `configuration`.
    """
    found = {file.name.removesuffix(SUFFIX): file for file in _files()}
    if name is None:
        if talk:
            raise click.UsageError("--talk needs the NAME of an example")
        listed = [{"name": each, "purpose": purpose(file.read_text("utf-8"))} for each, file in found.items()]
        if form == "table":
            output.table(("NAME", "PURPOSE"), [tuple(each.values()) for each in listed])
        else:
            output.write({"examples": listed}, form)
        return
    if name not in found:
        similar = difflib.get_close_matches(name, found, n=3)
        raise click.UsageError(
            f"no example {name!r}; did you mean {' or '.join(similar)}?"
            if similar
            else f"no example {name!r}; run `answerback examples` for the list"
        )
    if talk:
        click.echo(resources.files("answerback").joinpath("examples", f"{name}.talk").read_text("utf-8"), nl=False)
        return
    text = found[name].read_text("utf-8")
    if form == "table":
        click.echo(text, nl=False)
    else:
        output.write({"name": name, "purpose": purpose(text), "configuration": text}, form)


def purpose(text: str) -> str:
    """What an example is for: its first line, which is a comment."""
    return text.partition("\n")[0].removeprefix("#").strip()


def _files() -> list["Traversable"]:
    folder = resources.files("answerback").joinpath("examples")
    found = [file for file in folder.iterdir() if file.name.endswith(SUFFIX)]
    return sorted(found, key=lambda file: file.name.removesuffix(SUFFIX))
