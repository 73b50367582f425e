"""`answerback close`."""

import click

from answerback.cli import options, output


@click.command(
    "close",
    short_help="Close open connections.",
    epilog="""\b
Examples:
  answerback close 4711-3 4711-4
  answerback close --listener redis
  answerback close --peer 192.0.2.7 --reset""",
)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--listener", default="", metavar="NAME", help="Those of this listener.")
@click.option("--peer", default="", metavar="ADDR", help="Those of this client: HOST, or HOST:PORT.")
@click.option("--reset", is_flag=True, help="Reset them (RST) at once, instead of closing them in order.")
@options.output("table", "json", "yaml")
@options.server
def command(
    ids: tuple[str, ...], listener: str, peer: str, reset: bool, form: str, server: str, timeout: float
) -> None:
    """Close connections after the reply in progress: those with these IDs, of a listener, or of a client.

    `answerback connections` lists the ids.
    """
    from answerback.cli.client import connected
    from answerback.v1 import connection_service_pb2 as pb

    if not (ids or listener or peer):
        raise click.UsageError("say which: give IDs, --listener or --peer")
    request = pb.CloseConnectionsRequest(ids=ids, listener=listener, peer=peer, reset=reset)
    with connected(server, timeout) as client:
        answer = client.close_connections(request)
    if form == "table":
        output.line(f"{answer.connections} connection{'s' * (answer.connections != 1)} closed")
    else:
        output.write(output.plain(answer), form)
