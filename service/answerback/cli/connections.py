"""`answerback connections`."""

import click

from answerback.cli import options, output


@click.command(
    "connections",
    short_help="List the open connections.",
    epilog="""\b
Examples:
  answerback connections
  answerback connections --listener redis --peer 192.0.2.7
  answerback connections -o json | jq -r 'select(.waits_for == "hang").id'""",
)
@click.option("--listener", default="", metavar="NAME", help="Only those of this listener.")
@click.option("--peer", default="", metavar="ADDR", help="Only those of this client: HOST, or HOST:PORT.")
@options.output("table", "json")
@options.server
def command(listener: str, peer: str, form: str, server: str, timeout: float) -> None:
    """List the open connections of all workers, and what each waits for.

    With `-o json`, each line is an object.
    """
    from answerback.cli.client import connected
    from answerback.v1 import connection_service_pb2 as pb

    with connected(server, timeout) as client:
        found = list(client.list_connections(pb.ListConnectionsRequest(listener=listener, peer=peer, page_size=1000)))
    if form == "json":
        for each in found:
            output.line(output.as_json(output.plain(each)))
        return
    output.table(
        ("ID", "LISTENER", "WORKER", "PEER", "AGE", "IN", "OUT", "REQUESTS", "STATE", "WAITS FOR"),
        (
            (
                *(each.id, each.listener, each.worker, each.peer or "-", f"{each.age.ToNanoseconds() / 1e9:.1f}s"),
                *(each.received_bytes, each.sent_bytes, each.requests),
                output.word(pb.ConnectionState, each.state, "CONNECTION_STATE_"),
                each.waits_for,
            )
            for each in found
        ),
    )
