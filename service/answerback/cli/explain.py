"""`answerback explain`."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from answerback.cli import options, output, simulated_client, source, transcript
from answerback.cli.explain_source import Explained, from_exchange, from_file, from_server
from answerback.cli.play import instructions_of

if TYPE_CHECKING:
    from answerback.explain import Moment, Transcript
    from answerback.talk.player import TalkFailed
    from answerback.talk.script import Instruction
    from answerback.v1 import config_pb2 as v1


@click.command(
    "explain",
    cls=simulated_client.InOrder,
    short_help="Simulate a conversation and show why each rule matched or not.",
    epilog="""\b
Examples:
  answerback explain my.yaml --say 'PING\\r\\n'
  answerback explain my.yaml --listener smtp --say 'EHLO me\\r\\n' --at 1.5 --say 'QUIT\\r\\n' --eof
  answerback explain my.yaml --at 6m                       # what happens if the client stays silent
  answerback explain my.yaml --say 'PING\\r\\n' --connect --say 'PING\\r\\n'     # on two connections
  answerback explain my.yaml --say 'PING\\r\\n' --connect --peer 192.0.2.9 --say 'PING\\r\\n'  # from two addresses
  answerback explain my.yaml --say 'GET a\\r\\n' --reply '+OK\\r\\n'     # what rules on REPLY do
  answerback explain my.yaml --talk my.talk                # a whole conversation, compared with what is written
  answerback explain --server 127.0.0.1:50051 --say-hex '00 01 ff'
  answerback explain --exchange 4711-3#2                   # why was this request answered so?
  answerback examples modbus | answerback explain - --say '\\0\\x01\\0\\0\\0\\x06\\x01\\x03\\0\\0\\0\\x02'
  answerback explain my.yaml --say 'PING\\r\\n' -o json | jq -r '.events[] | select(.type == "sent").data'""",
)
@click.argument("file", type=click.Path(readable=False, allow_dash=True), required=False)
@simulated_client.OPTIONS
@click.option("--talk", metavar="FILE", help="Play this talk instead: see `answerback play`.")
@click.option("--exchange", metavar="ID", help="Explain this request of a server's journal, after those before it.")
@click.option("--listener", metavar="NAME", show_default="the first", help="Listener to simulate.")
@click.option(
    "--peer",
    multiple=True,
    metavar="HOST",
    show_default="127.0.0.1",
    help="Address of the client, the one that a PROXY header names too. Behind --connect: of that connection and those "
    "after it. Repeatable.",
)
@click.option("--full", is_flag=True, help="Shorten no bytes in messages.")
@options.output("table", "json", "yaml")
@options.server
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - an option each
    ctx: click.Context,
    /,
    file: str | None,
    talk: str | None,
    exchange: str | None,
    listener: str | None,
    peer: tuple[str, ...],
    full: bool,
    form: str,
    server: str,
    timeout: float,
    **client: Any,
) -> None:
    """Simulate a conversation with a server that serves FILE, without a network, and explain it.

    The clock is simulated, so delays take no time. Random choices are seeded with `random_seed`, or with 0. The
    transcript shows each request, which rule matched it and why the rules before did not, and what is sent when. `-`
    reads standard input.

    Without FILE, the configuration is the active one of the server at `--server`.

    Exit 0 if rules matched everything that the client sent, and the talk went as written; 1 if something was not
    matched, incomplete or discarded, or if the conversation ended in an error; 2 for a wrong usage or an invalid FILE.
    """
    from answerback.core.escapes import in_full

    _one_input(
        {
            "--say, --reply, --at, --connect and --eof": any(client.values()),
            "--talk": talk is not None,
            "--exchange": exchange is not None,
        }
    )
    first, moments = simulated_client.moments(ctx, client, peer)
    instructions = instructions_of(talk) if talk is not None else None
    explained = _explained(ctx, file, exchange, server, timeout)
    if client["reply"] and not explained.listener_of(listener).upstream.HasField("framing"):
        raise click.UsageError("--reply: the listener has no upstream.framing, so its rules see no replies")
    with in_full() if full else nullcontext():
        found, failed = _simulated(explained, explained.listener_of(listener), instructions, moments, first)
        _write(explained, found, failed, talk, form)
    if failed or not found.answered:
        raise click.exceptions.Exit(1)


def _one_input(given: dict[str, bool]) -> None:
    used = [name for name, is_given in given.items() if is_given]
    if len(used) > 1:
        raise click.UsageError(f"give one of: {'; '.join(used)}")


def _explained(ctx: click.Context, file: str | None, exchange: str | None, server: str, timeout: float) -> Explained:
    """The configuration, and the requests of an exchange. Raises ClickException, exit code 2."""
    chosen = ctx.get_parameter_source("server") is not click.core.ParameterSource.DEFAULT
    if file is not None:
        if exchange is not None or ctx.get_parameter_source("server") is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("give FILE, or --server and --exchange, not both")
        return from_file(file)
    if exchange is not None:
        return from_exchange(server, timeout, exchange)
    if not chosen:
        raise click.UsageError("give FILE, or --server for the active configuration of a server")
    return from_server(server, timeout)


def _simulated(
    explained: Explained,
    listener: "v1.Listener",
    instructions: "Sequence[Instruction] | None",
    moments: "Sequence[Moment]",
    peer: str,
) -> "tuple[Transcript, TalkFailed | None]":
    from answerback.explain import explain, explain_requests, explain_talk

    begun = datetime.now(UTC)
    if explained.requests is not None:
        peer = explained.peer or peer
        return explain_requests(listener, explained.files, explained.requests, peer=peer, begun=begun), None
    if instructions is not None:
        return explain_talk(listener, explained.files, instructions, peer=peer, begun=begun)
    return explain(listener, explained.files, moments, peer=peer, begun=begun), None


def _write(explained: Explained, found: "Transcript", failed: "TalkFailed | None", talk: str | None, form: str) -> None:
    for note in explained.notes:
        output.line(note, err=True)
    if form == "table":
        for line in transcript.lines(found):
            output.line(line)
        if failed:
            place = f"{source.name(talk or '')}:{failed.instruction.number}"
            output.line(f"{place}: {failed.instruction.text}: {failed.message}", err=True)
        return
    data = {"file": explained.name, **transcript.data(found)}
    if talk is not None:
        at = failed.instruction.number if failed else None
        message = failed.message if failed else None
        data["talk"] = {"file": source.name(talk), "ok": failed is None, "line": at, "message": message}
    if explained.exchange is not None:
        data["exchange"] = explained.exchange
    output.write(data, form)
