"""`answerback play`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerback.cli import options, output, source
from answerback.core.wildcards import destination

if TYPE_CHECKING:
    from answerback.talk.network import Address
    from answerback.talk.script import Instruction


@click.command(
    "play",
    short_help="Play a talk against a server.",
    epilog="""\b
Examples:
  answerback examples smtp --talk > smtp.talk
  answerback play smtp.talk 127.0.0.1:2525
  answerback play smtp.talk mail.example.com:25 --patience 10s
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
@options.output("table", "json", "yaml")
def command(talk: str, address: str | None, patience: float, tolerance: float, form: str) -> None:
    """Play TALK, a file that says what a client sends and must receive: exit 0 if all goes as written, 1 if not.

    The server can be any TCP server. Without an address, it is that of the first listener of the configuration beside
    TALK, which has the same name and ends in .yaml. `-` reads standard input.
    """
    from answerback.talk.network import SocketNetwork
    from answerback.talk.player import Player, TalkFailed

    instructions = instructions_of(talk)
    where = _address(address) if address is not None else _beside(talk)
    failure = None
    with Player(SocketNetwork(where), patience, tolerance) as player:
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
    return _address(listeners[0].address)


def _address(text: str) -> "Address":
    kind, separator, path = text.partition(":")
    if kind == "unix" and separator:
        return path
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise click.UsageError(f"{text!r} is not an address to connect to: write HOST:PORT or unix:PATH")
    return destination(host.strip("[]")), int(port)
