"""`answerback proxy`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from answerback.cli import options, proxy_tls, serve

# Rule: it is `serve` with a configuration of one listener: everything else about the server is the same.

NAME: Final = "proxy"
DIRECTIONS: Final = {"to-peer": ("TO_PEER",), "from-peer": ("FROM_PEER",), "both": ("TO_PEER", "FROM_PEER")}
UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_RATE: Final = re.compile(r"([0-9]{1,12})(k|m|g|ki|mi|gi)?(b(/s)?)?", re.IGNORECASE)


class Rate(click.ParamType[int]):
    """Bytes per second: `1000`, `64KiB/s`, `1MB/s`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes per second."""
        found = _RATE.fullmatch(str(value))
        rate = int(found[1]) * UNITS[(found[2] or "").lower()] if found else 0
        if not rate:
            self.fail(f"{value!r} is not a rate: write 1000, 64KiB/s or 1MB/s", param, ctx)
        return rate


@click.command(
    "proxy",
    short_help="Relay to a server, with faults.",
    epilog="""\b
Examples:
  answerback proxy 127.0.0.1:6380 127.0.0.1:6379
  answerback proxy 127.0.0.1:6380 redis.example:6379 --latency 100ms --bandwidth 1MiB/s
  answerback proxy 127.0.0.1:5433 localhost:5432 --reset-after 100000 --direction both
  answerback proxy 127.0.0.1:8080 api.example:443 --upstream-tls     # plain text here, TLS there
  answerback proxy 127.0.0.1:8443 127.0.0.1:8080 --tls-cert server.crt --tls-key server.key

\b
Meanwhile, in another terminal:
  answerback fault add proxy latency=300ms --ttl 1m
  answerback connections""",
)
@click.argument("listen", metavar="LISTEN")
@click.argument("upstream", metavar="UPSTREAM")
@click.option("--latency", type=options.Duration(), metavar="TIME", help="Pass on everything that is read this late.")
@click.option("--bandwidth", type=Rate(), metavar="RATE", help="Limit the rate: 1000, 64KiB/s, 1MB/s.")
@click.option("--slice", "size", type=click.IntRange(1), metavar="BYTES", help="Pass on pieces of this size.")
@click.option(
    "--reset-after", type=click.IntRange(0), metavar="BYTES", help="Reset a connection after this number of bytes."
)
@click.option(
    "--close-after", type=click.IntRange(0), metavar="BYTES", help="Close a connection after this number of bytes."
)
@click.option(
    "--direction",
    type=click.Choice(tuple(DIRECTIONS)),
    default="to-peer",
    show_default=True,
    help="Bytes that are affected: those to the client, those from it, or both.",
)
@click.option(
    "--connect-timeout",
    type=options.Duration(),
    default="5s",
    show_default=True,
    metavar="TIME",
    help="Time to connect to UPSTREAM. A client whose upstream cannot be reached is reset.",
)
@proxy_tls.OPTIONS
@options.serving
def command(listen: str, upstream: str, workers: int, admin: str, metrics: str, **given: Any) -> None:
    """Relay connections from LISTEN to UPSTREAM until a signal ends it.

    Both are HOST:PORT or unix:/PATH; the host of UPSTREAM may be a name. Faults can be changed while it runs: the
    listener is named `proxy`.
    """
    from answerback import app

    if given["reset_after"] is not None and given["close_after"] is not None:
        raise click.UsageError("give --reset-after or --close-after, not both")
    text = configuration(listen, upstream, given)
    serve.run(
        app.ServeOptions(
            config=Path("the command line"), config_text=text.encode(), workers=workers, admin=admin, metrics=metrics
        )
    )


def configuration(listen: str, upstream: str, given: dict[str, Any]) -> str:
    """The configuration, as JSON."""
    faults = [
        {"direction": direction, **fault} for direction in DIRECTIONS[given["direction"]] for fault in _faults(given)
    ]
    timeout = f"{given['connect_timeout']:.9f}s"
    to = {"address": upstream, "connect_timeout": timeout, **proxy_tls.of_upstream(given)}
    listener = {"name": NAME, "address": listen, "upstream": to, **proxy_tls.of_clients(given)}
    return json.dumps({"listeners": [listener | ({"faults": faults} if faults else {})]})


def _faults(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The faults of one direction, in the order in which they act."""
    if given["latency"]:
        yield {"latency": f"{given['latency']:.9f}s"}
    if given["bandwidth"] is not None:
        yield {"bandwidth": {"bytes_per_second": given["bandwidth"]}}
    if given["size"] is not None:
        yield {"slice": {"size": given["size"]}}
    for option, by_reset in (("reset_after", True), ("close_after", False)):
        if given[option] is not None:
            yield {"target": "CONNECTION", "truncate": {"bytes": given[option], "reset": by_reset}}
