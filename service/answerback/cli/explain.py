"""`answerback explain`."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import click

from answerback.cli import options, output, source

if TYPE_CHECKING:
    from answerback.explain import Event, Moment, Transcript
    from answerback.language.contents import Files
    from answerback.v1 import config_pb2 as v1


class InOrder(click.Command):
    """A command that knows in which order its options were given: `ctx.meta[ORDER]`, by name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the order, then parse as any command does."""
        if not ctx.resilient_parsing and not {"-h", "--help"} & set(args):
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            ctx.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


class _Refused(click.ClickException):
    """The file cannot be read, or is invalid."""

    exit_code = 2


ORDER = "answerback.order"


@click.command(
    "explain",
    cls=InOrder,
    short_help="Simulate a conversation and show why each rule matched or not.",
    epilog="""\b
Examples:
  answerback explain my.yaml --say 'PING\\r\\n'
  answerback explain my.yaml --listener smtp --say 'EHLO me\\r\\n' --at 1.5 --say 'QUIT\\r\\n' --eof
  answerback explain my.yaml --at 6m                       # what happens if the client stays silent
  answerback examples modbus | answerback explain - --say '\\0\\x01\\0\\0\\0\\x06\\x01\\x03\\0\\0\\0\\x02'
  answerback explain my.yaml --say 'PING\\r\\n' -o json | jq -r '.events[] | select(.type == "sent").data'""",
)
@click.argument("file", type=click.Path(readable=False, allow_dash=True))
@click.option(
    "--say",
    multiple=True,
    metavar="TEXT",
    help=r"Text that the client sends, with the escapes \r \n \t \0 \\ \xNN. Repeatable.",
)
@click.option(
    "--at",
    type=options.Duration(),
    multiple=True,
    metavar="TIME",
    help="Time of the next --say, since the connection began. At the end: how long to continue.",
)
@click.option("--eof", is_flag=True, help="The client closes its half (FIN) at the end.")
@click.option("--listener", metavar="NAME", show_default="the first", help="Listener to simulate.")
@click.option("--peer", metavar="HOST", default="127.0.0.1", show_default=True, help="Address of the client.")
@options.output("table", "json", "yaml")
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - an option each
    ctx: click.Context,
    file: str,
    say: tuple[str, ...],
    at: tuple[float, ...],
    eof: bool,
    listener: str | None,
    peer: str,
    form: str,
) -> None:
    """Simulate a conversation with a server that serves FILE, without a network, and explain it.

    The clock is simulated, so delays take no time. Random choices are seeded with `random_seed`, or with 0. The
    transcript shows each request, which rule matched it and why the rules before did not, and what is sent when. `-`
    reads standard input.

    Exit 0 if rules matched everything that the client sent; 1 if something was not matched, incomplete or discarded,
    or if the conversation ended in an error; 2 for a wrong usage or an invalid FILE.
    """
    from answerback.explain import explain

    try:
        ip_address(peer)
    except ValueError as problem:
        raise click.UsageError(f"--peer: {problem}") from None
    moments = _moments(ctx.meta[ORDER], say, at, eof)
    config, files = _accepted(file)
    transcript = explain(_chosen(config, listener), files, moments, peer=peer, begun=datetime.now(UTC))
    if form == "table":
        for line in _lines(transcript):
            output.line(line)
    else:
        output.write(_data(source.name(file), transcript), form)
    if not transcript.answered:
        raise click.exceptions.Exit(1)


def _moments(order: Sequence[str], say: Sequence[str], at: Sequence[float], eof: bool) -> list["Moment"]:
    """What the peer does, in the order written: a `--say` at the time before it, or else when the last one was."""
    from answerback.core.escapes import unescape
    from answerback.explain import Moment

    moments: list[Moment] = []
    now, timed = 0.0, False
    said, times = iter(say), iter(at)
    for name in order:
        if name == "at":
            time = next(times)
            if time < now or timed:
                what = "the previous --at has no --say" if timed else f"{time:g} s is before {now:g} s"
                raise click.UsageError(f"--at: {what}")
            now, timed = time, True
        elif name == "say":
            try:
                moments.append(Moment(now, unescape(next(said))))
            except ValueError as problem:
                raise click.UsageError(f"--say: {problem}") from None
            timed = False
    if eof or timed:
        moments.append(Moment(now, eof=eof))
    return moments


def _accepted(file: str) -> tuple["v1.Config", "Files"]:
    """A configuration that could be served. Raises ClickException with every problem, exit code 2."""
    try:
        examined = source.examine(file)
    except click.ClickException as unreadable:
        raise _Refused(unreadable.message) from None
    if examined.problems:
        raise _Refused(source.refuse(file, examined.problems, "nothing to explain").message)
    if not examined.config.listeners:
        raise click.UsageError(f"{source.name(file)}: it has no listener")
    return examined.config, examined.files


def _chosen(config: "v1.Config", name: str | None) -> "v1.Listener":
    names = [listener.name for listener in config.listeners]
    if name is not None and name not in names:
        raise click.UsageError(f"--listener: no listener {name!r}; known: {', '.join(names)}")
    return config.listeners[0 if name is None else names.index(name)]


# ── For people ────────────────────────────────────────────────────────────────────────────────────────────────────

_MARGIN = " " * 12
_MEETS = {
    "REFUSE": "refuses the connection",
    "STALL": "does not answer the SYN",
    "CLOSE": "accepts, then closes at once (FIN)",
    "RESET": "accepts, then resets at once (RST)",
    "HOLD": "accepts, then neither reads nor replies",
}


def _lines(transcript: "Transcript") -> Iterator[str]:
    """`SECONDS > "received"`, `SECONDS < "sent"`, and what happens between them."""
    for event in transcript.events:
        yield from _told(event)
    if transcript.cut_short:
        yield f"{_MARGIN}… output stops after {len(transcript.events)} events"


def _told(event: "Event") -> Iterator[str]:  # noqa: C901, PLR0912 - one case an event
    from answerback.core.escapes import escape, quote
    from answerback.explain import events

    time = f"{event.at:9.3f} s"
    match event:
        case events.Received(_, data):
            yield f'{time} > "{escape(data)}"'
        case events.ReceivedEof():
            yield f"{time} > closes its half (FIN)"
        case events.AcceptMode(_, accept):
            yield f"{time}   {_MEETS[accept]}: accept is {accept}"
        case events.Discarded(_, data):
            yield f"{time} > {quote(data)}: discarded, the connection is closed"
        case events.Evaluated():
            yield from _asked(event)
        case events.Sent(_, data):
            yield f'{time} < "{escape(data)}"'
        case events.Waits(_, seconds):
            yield f"{_MARGIN}waits {seconds:g} s"
        case events.Strikes(_, fault):
            yield f"{_MARGIN}{fault} applies: {fault.kind}"
        case events.Holds(_, ignore_fin):
            until = " even when the client closes its half (FIN)" if ignore_fin else ""
            yield f"{_MARGIN}hangs: sends nothing more and does not close{until}"
        case events.Enters(_, state):
            yield f'{_MARGIN}enters state "{state}"'
        case events.VariableSet(_, name, value):
            yield f"{_MARGIN}sets vars.{name} to {quote(value)}"
        case events.FramingChanged(_, framing, once):
            yield f"{_MARGIN}reads {'the next request' if once else 'following requests'} with framing {framing}"
        case events.Takes(_, framing, variable):
            into = f" into vars.{variable}" if variable else ""
            yield f"{_MARGIN}receives one more frame ({framing}){into}"
        case events.NotExpected(_, data, miss):
            yield f"{_MARGIN}received {quote(data)}, which is not expected: it {miss.why}"
        case events.HalfCloses():
            yield f"{time} < closes its half (FIN), still reads"
        case events.Incomplete(_, data, framing, why):
            yield f"{_MARGIN}incomplete request: {quote(data)} ({framing}): {why}"
        case events.Closed(_, reset, reason):
            yield f"{time} < {'resets (RST)' if reset else 'closes (FIN)'}: {reason}"
        case events.Open(_, state):
            yield f"{time}   stays open" + (f', in state "{state}"' if state else "")


def _asked(asked: Any) -> Iterator[str]:
    from answerback.core.escapes import quote

    what = f"request {asked.number}: {quote(asked.request)} ({asked.framing})" if asked.number else asked.event
    yield f"{_MARGIN}{what}" + (f', in state "{asked.state}"' if asked.state else "")
    for each in asked.passed_over:
        yield f"{_MARGIN}  not {each.rule}: {each.miss.why}{' ← nearest' if each.nearest else ''}"
    yield f"{_MARGIN}  no rule matches" if asked.rule is None else f"{_MARGIN}  {asked.rule} matches"


# ── For programs ──────────────────────────────────────────────────────────────────────────────────────────────────


def _data(file: str, transcript: "Transcript") -> dict[str, Any]:
    return {
        "file": file,
        "listener": transcript.listener,
        "answered": transcript.answered,
        "cut_short": transcript.cut_short,
        "events": [{"type": event.type, **_plain(event)} for event in transcript.events],
    }


def _plain(value: Any) -> Any:
    """Data for JSON; bytes as `--say` takes them."""
    from answerback.core.escapes import escape

    if isinstance(value, bytes):
        return escape(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value
