"""`answerback show`."""

import json

import click

from answerback.cli import options


@click.command(
    "show",
    short_help="Print the configuration in force.",
    epilog="""\b
Examples:
  answerback show > answerback.yaml
  answerback show -o json | jq .listeners[].address
  answerback show --server 127.0.0.1:50052""",
)
@options.output("yaml", "json")
@options.server
def command(form: str, server: str, timeout: float) -> None:
    """Print the configuration in force, in its canonical form: `apply` takes it back."""
    from google.protobuf import json_format

    from answerback.cli.client import connected
    from answerback.config import dump

    with connected(server, timeout) as client:
        answer = client.get_config()
    if form == "json":
        data = json_format.MessageToDict(answer.config, preserving_proto_field_name=True)
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        click.echo(f"# revision {answer.revision}, etag {answer.etag}\n{dump(answer.config)}", nl=False)
