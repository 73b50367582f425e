"""`answerback show`."""

from typing import TYPE_CHECKING

import click

from answerback.cli import options

if TYPE_CHECKING:
    from answerback.v1.config_pb2 import Config


@click.command(
    "show",
    short_help="Print the active configuration, or an earlier one.",
    epilog="""\b
Examples:
  answerback show > answerback.yaml
  answerback show -o table
  answerback show -o json | jq .listeners[].address
  answerback show --revision 3 > before.yaml
  answerback show --server 127.0.0.1:50052""",
)
@click.option("--revision", type=click.IntRange(1), metavar="N", help="Print this revision instead of the active one.")
@options.output("yaml", "json", "table")
@options.server
def command(revision: int | None, form: str, server: str, timeout: float) -> None:
    """Print the active configuration, or an earlier one, as canonical YAML that `apply` accepts.

    `-o table` prints an overview of the listeners.
    """
    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.document.encode import dump

    with connected(server, timeout) as client:
        if revision is None:
            answer = client.get_config()
            number, etag, config = answer.revision, answer.etag, answer.config
        else:
            earlier = client.get_revision(revision)
            number, etag, config = earlier.number, earlier.etag, earlier.config
    if form == "table":
        _table(config)
    elif form == "json":
        output.write(output.canonical(config), form)
    else:
        output.line(f"# revision {number}, etag {etag}")
        output.document(dump(config))


def _table(config: "Config") -> None:
    from answerback.cli.output import table, word
    from answerback.v1.config_pb2 import Engine

    table(
        ("LISTENER", "ADDRESS", "ENGINE", "FRAMING", "RULES"),
        (
            (
                *(one.name, one.address, word(Engine, one.engine, "ENGINE_") if one.engine else "-"),
                *(one.framing.WhichOneof("kind") or "read", len(one.rules)),
            )
            for one in config.listeners
        ),
    )
