"""`answerback diff`."""

import click

from answerback.cli import difference, options, source

DIFFERENT = 1


@click.command(
    "diff",
    short_help="Show what `apply` would change.",
    epilog="""\b
Examples:
  answerback diff answerback.yaml
  answerback diff answerback.yaml || answerback apply answerback.yaml
  git show HEAD:answerback.yaml | answerback diff -

\b
Exit codes:
  0  no difference
  1  FILE differs from the active configuration
  2  error: FILE is invalid, wrong usage, or the server cannot be reached""",
)
@source.FILE
@options.server
def command(file: str, server: str, timeout: float) -> None:
    """Show the difference between the active configuration and FILE, both in canonical form.

    Comments, field order and shorthand are ignored. A configuration that would be rejected is an error. `-` reads
    standard input.
    """
    try:
        found = _difference(file, server, timeout)
    except click.ClickException as error:
        raise source.NoAnswer(error.message) from None
    difference.write(found)
    if found:
        raise click.exceptions.Exit(DIFFERENT)


def _difference(file: str, server: str, timeout: float) -> list[str]:
    from answerback.cli.client import connected
    from answerback.document.document import load

    document = load(source.read(file))
    if document.problems:
        raise source.refuse(file, document.problems, "it would be rejected")
    with connected(server, timeout) as client:
        problems = client.validate_config(document.config)
        current = client.get_config()
    if problems:
        raise source.refuse(file, document.located(problems), "it would be rejected")
    names = f"revision {current.revision}", source.name(file)
    return difference.lines(current.config, document.config, names)
