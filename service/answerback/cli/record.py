"""`answerback record`."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from answerback.cli import options, output

if TYPE_CHECKING:
    from answerback.recording import Bare, Outcome, Recording
    from answerback.recording.relay import Address

# Rule: nothing is written before the recording is over, and no file is replaced unless that was asked for.

MIB: Final = 1 << 20


@click.command(
    "record",
    short_help="Record a server's conversations as a configuration and a talk.",
    epilog="""\b
Examples:
  answerback record --listen 127.0.0.1:6380 --upstream 127.0.0.1:6379 -o redis.yaml
  redis-cli -p 6380 GET greeting                   # meanwhile, in another terminal; then ^C
  answerback serve --config redis.yaml             # without the server
  answerback play redis.talk                       # the same conversation again

\b
  answerback record --listen 127.0.0.1:2525 --upstream mail.example.com:25 -o mail.yaml --redact --connections 2
  answerback record --listen 127.0.0.1:7000 --upstream 127.0.0.1:9000 -o it.yaml --framing line --delays""",
)
@click.option(
    "--listen",
    required=True,
    metavar="ADDR",
    help="Where clients connect, HOST:PORT (port 0: any free port) or unix:PATH.",
)
@click.option("--upstream", required=True, metavar="ADDR", help="The server, HOST:PORT or unix:PATH.")
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.yaml",
    help="Configuration to write; its talk has the same name and ends in .talk.",
)
@click.option(
    "--framing",
    metavar="YAML",
    help="Framing of the requests, as in a configuration: line, or {length_prefix: {width: 4}}. By default it is found "
    "out from where the server answers.",
)
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after this number of connections. By default ^C stops the recording.",
)
@click.option("--delays", is_flag=True, help="Repeat the server's delays of 5 ms and more.")
@click.option(
    "--redact",
    is_flag=True,
    help="Write xxxx for what looks like a secret: passwords, tokens, authorization headers. A rule accepts any value.",
)
@click.option(
    "--max-size",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    metavar="MIB",
    help="Stop recording, not passing on, after this number of MiB.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
def command(listen: str, upstream: str, target: Path, framing: str | None, **rest: Any) -> None:
    """Pass clients on to the server at --upstream, record what both sides send, and write what repeats it.

    FILE.yaml is a configuration whose listener has the address --listen, and gives the recorded replies. FILE.talk says
    what the clients sent and received, for `answerback play`. The talk is played against the configuration, simulated,
    before both are written. Notes name what a recording cannot tell: values that differ each time, for example.

    Exit 0 if the talk passes; 1 if it does not, or if nothing was recorded; 2 for a wrong usage.
    """
    from answerback.recording import Recording

    where = _listening(listen), options.destination(upstream, "--upstream")
    given = _framing(framing)
    files = target, target.with_suffix(".talk")
    if target.suffix == ".talk":
        raise click.UsageError("-o: the configuration cannot have the name of the talk: write FILE.yaml")
    for file in files:
        if file.exists() and not rest["force"]:
            raise click.UsageError(f"-o: {file} exists; --force replaces it")
    recording = Recording(rest["max_size"] * MIB)
    address = asyncio.run(_record(*where, recording, rest["connections"]))
    _write(recording, address, given, files, delays=rest["delays"], redact=rest["redact"])


async def _record(listen: "Address", upstream: "Address", recording: "Recording", connections: int | None) -> str:
    """Relay until it is over; return the address. Raises ClickException if it cannot listen."""
    from answerback.recording import Relay

    relay = Relay(upstream, recording, lambda text: output.line(text, err=True))
    try:
        server, address = await relay.listen(listen)
    except OSError as error:
        raise click.ClickException(f"--listen: {error.strerror or error}") from None
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    end = "" if connections else "; ^C stops the recording"
    output.line(f"recording on {address}{end}", err=True)
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(stopped.wait())]
    if connections:
        waits.append(asyncio.ensure_future(relay.ended(connections)))
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    server.close()
    await relay.stop()
    return address


def _write(
    recording: "Recording", address: str, given: "Bare | None", files: tuple[Path, Path], *, delays: bool, redact: bool
) -> None:
    """Write both files, and say what is in them. Raises Exit and ClickException."""
    from answerback.recording import Nothing, Unframed, outcome_of

    try:
        outcome = outcome_of(recording, address, given, delays=delays, redact=redact)
    except Nothing:
        raise click.ClickException("no bytes were recorded; nothing was written") from None
    except Unframed as problem:
        raise click.ClickException(f"--framing does not fit: {problem}; nothing was written") from None
    for file, text in zip(files, (outcome.configuration, outcome.talk), strict=True):
        try:
            file.write_text(text, "utf-8")
        except OSError as error:
            raise click.ClickException(f"{file}: {error.strerror or error}") from None
    _say(outcome, files, full=recording.full)
    if outcome.problems:
        raise click.exceptions.Exit(1)


def _say(outcome: "Outcome", files: tuple[Path, Path], *, full: bool) -> None:
    output.line(f"framing ({'sure' if outcome.framing.sure else 'not sure'}): {outcome.framing.why}")
    for note in outcome.notes:
        output.line(f"note: {note}")
    if full:
        output.line("note: --max-size was reached; what came after that is missing")
    output.line(
        f"wrote {files[0]} and {files[1]}: connections: {outcome.connections}, requests: {outcome.requests}, "
        f"rules: {outcome.rules}"
    )
    for problem in outcome.problems:
        output.line(f"Error: {problem}", err=True)
    if not outcome.problems:
        output.line("the talk passes")


def _framing(text: str | None) -> "Bare | None":
    """The framing, if it is one. Raises UsageError."""
    if text is None:
        return None
    from answerback.recording import Bare, Invalid, compiled

    framing = Bare(text.strip())
    try:
        compiled(framing)
    except Invalid as problem:
        raise click.UsageError(f"--framing: {problem}") from None
    return framing


def _listening(text: str) -> "Address":
    from answerback.control import address

    try:
        parsed = address.parse(text)
    except ValueError as error:
        raise click.UsageError(f"--listen: {error}") from None
    return parsed.path or (parsed.host, parsed.port)
