"""`answerback show`."""

import json
from typing import TYPE_CHECKING

import click

from answerback.cli import options

if TYPE_CHECKING:
    from answerback.v1.config_pb2 import Config


@click.command(
    "show",
    short_help="Print the configuration in force.",
    epilog="""\b
Examples:
  answerback show > answerback.yaml
  answerback show -o table
  answerback show -o json | jq .listeners[].address
  answerback show --server 127.0.0.1:50052""",
)
@options.output("yaml", "json", "table")
@options.server
def command(form: str, server: str, timeout: float) -> None:
    """Print the configuration in force, in its canonical form: `apply` takes it back. `-o table` is an overview."""
    from google.protobuf import json_format

    from answerback.cli.client import connected
    from answerback.config import dump

    with connected(server, timeout) as client:
        answer = client.get_config()
    if form == "table":
        _table(answer.config)
    elif form == "json":
        data = json_format.MessageToDict(answer.config, preserving_proto_field_name=True)
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        click.echo(f"# revision {answer.revision}, etag {answer.etag}\n{dump(answer.config)}", nl=False)


def _table(config: "Config") -> None:
    from answerback.cli.output import table
    from answerback.v1.config_pb2 import Engine

    table(
        ("LISTENER", "ADDRESS", "ENGINE", "FRAMING", "RULES"),
        (
            (
                *(one.name, one.address, Engine.Name(one.engine).removeprefix("ENGINE_") if one.engine else "-"),
                *(one.framing.WhichOneof("kind") or "read", len(one.rules)),
            )
            for one in config.listeners
        ),
    )
