"""`answerback play`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerback.cli import options, output, source
from answerback.cli.credentials import FILE

if TYPE_CHECKING:
    from answerback.talk.network import Address, Network
    from answerback.talk.script import Instruction


@click.command(
    "play",
    short_help="Play a talk against a server.",
    epilog="""\b
Examples:
  answerback examples smtp --talk > smtp.talk
  answerback play smtp.talk 127.0.0.1:2525
  answerback play smtp.talk mail.example.com:25 --patience 10s
  answerback play http.talk localhost:8443 --ca ca.crt   # over TLS
  answerback play smtp.talk                        # the address of the first listener of smtp.yaml""",
)
@click.argument("talk", type=click.Path(readable=False, allow_dash=True))
@click.argument("address", required=False, metavar="[HOST:PORT|unix:PATH]")
@click.option(
    "--patience",
    type=options.Duration(),
    default="3s",
    show_default=True,
    metavar="TIME",
    help="How long to wait for the next byte.",
)
@click.option(
    "--tolerance",
    type=options.Duration(),
    default="0s",
    show_default=True,
    metavar="TIME",
    help="By how much a reply may be later than `within` allows, on a busy machine.",
)
@click.option("--ca", type=FILE, metavar="FILE", help="Use TLS, and trust these CA certificates (PEM) alone.")
@click.option("--cert", type=FILE, metavar="FILE", help="Client certificate (PEM), with --ca.")
@click.option("--key", type=FILE, metavar="FILE", help="Private key of --cert (PEM, no passphrase).")
@options.output("table", "json", "yaml")
def command(
    talk: str,
    address: str | None,
    patience: float,
    tolerance: float,
    form: str,
    **files: Path | None,
) -> None:
    """Play TALK, a file that says what a client sends and must receive: exit 0 if all goes as written, 1 if not.

    The server can be any TCP server. With --ca, the talk says what is inside TLS, which may begin later (starttls).
    Without an address, it is that of the first listener of the configuration beside TALK, which has the same name and
    ends in .yaml. `-` reads standard input.
    """
    from answerback.talk.player import Player, TalkFailed
    from answerback.talk.script import StartTls

    instructions = instructions_of(talk)
    where = options.destination(address) if address is not None else _beside(talk)
    failure = None
    later = any(isinstance(each.action, StartTls) for each in instructions)
    with Player(_network(where, later=later, **files), patience, tolerance) as player:
        try:
            player.play(instructions)
        except TalkFailed as failed:
            failure = failed
    if form != "table":
        line = failure.instruction.number if failure else None
        data = {"talk": source.name(talk), "ok": not failure, "line": line, "message": failure and failure.message}
        output.write(data, form)
    elif failure:
        place = f"{source.name(talk)}:{failure.instruction.number}"
        output.line(f"{place}: {failure.instruction.text}: {failure.message}", err=True)
    else:
        output.line(f"{source.name(talk)}: ok, {len(instructions)} instructions")
    if failure:
        raise click.exceptions.Exit(1)


def instructions_of(talk: str) -> "Sequence[Instruction]":
    """The instructions of a talk. Every line that is none is printed; raises ClickException or Exit, exit code 2."""
    from answerback.talk.script import TalkError, parse

    try:
        return parse(source.read(talk).decode("utf-8", "replace"))
    except click.ClickException as unreadable:
        raise source.NoAnswer(unreadable.message) from None
    except TalkError as error:
        for number, message in error.problems:
            output.line(f"{source.name(talk)}:{number}: {message}", err=True)
        raise click.exceptions.Exit(2) from None


def _network(address: "Address", *, later: bool, ca: Path | None, cert: Path | None, key: Path | None) -> "Network":
    """The network of the talk. Raises UsageError, and NoAnswer for a file that cannot be used.

    `later`: whether the talk itself begins TLS.
    """
    if bool(cert) != bool(key) or (cert and not ca):
        raise click.UsageError("a client certificate needs --ca, --cert and --key")
    if ca is None and later:
        raise click.UsageError("the talk begins TLS: give --ca, the authorities to trust")
    if ca is None:
        from answerback.talk.network import SocketNetwork

        return SocketNetwork(address)
    from answerback.talk.tls import StartTlsNetwork, TlsNetwork, client_context

    try:
        context = client_context(ca, cert, key)
    except OSError as error:
        names = ", ".join(str(each) for each in (ca, cert, key) if each)
        raise source.NoAnswer(f"cannot use {names}: {getattr(error, 'reason', None) or error.strerror}") from None
    return (StartTlsNetwork if later else TlsNetwork)(address, context)


def _beside(talk: str) -> "Address":
    from answerback.document.document import load

    config = Path(talk).with_suffix(".yaml")
    if talk == source.STDIN or not config.exists():
        raise click.UsageError(f"{source.name(talk)} has no configuration beside it: give the address of the server")
    try:
        listeners = load(source.read(str(config))).config.listeners
    except click.ClickException as unreadable:
        raise source.NoAnswer(unreadable.message) from None
    if not listeners:
        raise click.UsageError(f"{config} has no listener: give the address of the server")
    return options.destination(listeners[0].address)
