"""`answerback diff`."""

import click

from answerback.cli import difference, options, source

DIFFERENT = 1


class Trouble(click.ClickException):
    """There is no difference to tell, as with diff(1)."""

    exit_code = 2


@click.command(
    "diff",
    short_help="Show what applying a configuration would change.",
    epilog="""\b
Examples:
  answerback diff answerback.yaml
  answerback diff answerback.yaml || answerback apply answerback.yaml
  git show HEAD:answerback.yaml | answerback diff -

\b
Exit codes:
  0  the configuration in force says the same
  1  it differs
  2  something is wrong: with FILE, with the usage, or nobody answers""",
)
@click.argument("file", type=click.Path(readable=False, allow_dash=True))
@options.server
def command(file: str, server: str, timeout: float) -> None:
    """Show what would change if FILE were applied: from what is in force to FILE, both in their canonical form.

    Comments and order of fields make no difference, shorthand neither. A configuration that would be refused is an
    error. `-` reads standard input.
    """
    try:
        found = _difference(file, server, timeout)
    except click.ClickException as error:
        raise Trouble(error.message) from None
    difference.write(found)
    if found:
        raise click.exceptions.Exit(DIFFERENT)


def _difference(file: str, server: str, timeout: float) -> list[str]:
    from answerback.cli.client import connected
    from answerback.document.document import load

    document = load(source.read(file))
    if document.problems:
        raise source.refuse(file, document.problems, "it would be refused")
    with connected(server, timeout) as client:
        problems = client.validate_config(document.config)
        current = client.get_config()
    if problems:
        raise source.refuse(file, document.located(problems), "it would be refused")
    names = f"revision {current.revision}", source.name(file)
    return difference.lines(current.config, document.config, names)
