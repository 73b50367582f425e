"""What the simulated client of `answerback explain` does: options whose order counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from answerback.cli.options import Duration, together

if TYPE_CHECKING:
    from answerback.explain import Moment

ORDER: Final = "answerback.order"


class InOrder(click.Command):
    """A command that knows in which order its options were given: `ctx.meta[ORDER]`, by name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the order, then parse as any command does."""
        if not ctx.resilient_parsing and not {"-h", "--help"} & set(args):
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            ctx.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


OPTIONS: Final = together(
    click.option(
        "--say",
        multiple=True,
        metavar="TEXT",
        help=r"Text that the client sends, with the escapes \r \n \t \0 \\ \xNN. Repeatable.",
    ),
    click.option("--say-hex", multiple=True, metavar="HEX", help="Bytes that the client sends, in hex. Repeatable."),
    click.option(
        "--say-file", multiple=True, metavar="FILE", help="File with bytes that the client sends. Repeatable."
    ),
    click.option(
        "--reply",
        multiple=True,
        metavar="TEXT",
        help="Text that the upstream sends, for a listener with upstream.framing; escapes as for --say. Repeatable.",
    ),
    click.option(
        "--at",
        type=Duration(),
        multiple=True,
        metavar="TIME",
        help="Time of the next --say, --reply or --connect, since the first connection began. "
        "At the end: how long to continue.",
    ),
    click.option("--connect", count=True, help="The client opens another connection, for what follows. Repeatable."),
    click.option("--eof", is_flag=True, help="The client closes its half (FIN) at the end."),
)
"""The options of a command of class `InOrder`."""


def moments(ctx: click.Context, client: Mapping[str, Any], peers: Sequence[str]) -> tuple[str, list["Moment"]]:
    """The address of the first connection, and what the client does, in the order written.

    `client` are the values of `OPTIONS`, and `peers` those of --peer. Each is done at the time before it, or else when
    the last one was.
    """
    from answerback.explain import Moment

    addresses = ["127.0.0.1"]  # of each connection
    done: list[Moment] = []
    now, timed = 0.0, False
    values = {name: iter(client[name]) for name in ("say", "say_hex", "say_file", "reply", "at")}
    values["peer"] = map(_address, peers)
    for name in ctx.meta[ORDER]:
        if name == "at":
            time = next(values["at"])
            if time < now or timed:
                what = "the previous --at has no --say" if timed else f"{time:g} s is before {now:g} s"
                raise click.UsageError(f"--at: {what}")
            now, timed = time, True
        elif name == "connect":
            done.append(Moment(now, connect=True))
            addresses.append(addresses[-1])
            timed = False
        elif name == "peer":
            addresses[-1] = next(values["peer"])
        elif name == "reply":
            done.append(Moment(now, reply=_text(next(values[name]), "--reply")))
            timed = False
        elif name in _SAID:
            done.append(Moment(now, _SAID[name](next(values[name]))))
            timed = False
    if client["eof"] or timed:
        done.append(Moment(now, eof=client["eof"]))
    later = iter(addresses[1:])
    return addresses[0], [replace(each, peer=next(later)) if each.connect else each for each in done]


def _address(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError as problem:
        raise click.UsageError(f"--peer: {problem}") from None


def _text(text: str, option: str = "--say") -> bytes:
    from answerback.core.escapes import unescape

    try:
        return unescape(text)
    except ValueError as problem:
        raise click.UsageError(f"{option}: {problem}") from None


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise click.UsageError(
            f"--say-hex: {text!r} is not hex: write two digits for each byte, such as 00 ff"
        ) from None


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise click.UsageError(f"--say-file: {path}: {error.strerror or error}") from None


_SAID: dict[str, Callable[[str], bytes]] = {"say": _text, "say_hex": _hex, "say_file": _content}
