"""What commands share: their options, and the types of their values."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from answerback.cli import cpus, credentials
from answerback.core import wildcards

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_ADMIN: Final = "127.0.0.1:50051"
DEFAULT_METRICS: Final = "127.0.0.1:9464"

_PARTS: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_PART: Final = re.compile(r"([0-9.]+)(ms|s|m|h)")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """A time as in a configuration (`500ms`, `8s`, `1m30s`), or a number of seconds; comes out in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float):
            return value
        text = str(value)
        if _NUMBER.fullmatch(text):
            return float(text)
        if not _PARTS.fullmatch(text):
            self.fail(f"{text!r} is not a duration: write 500ms, 8s or 1m30s", param, ctx)
        return sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(text))


def duration(seconds: float) -> Any:
    """The same as a message of protobuf."""
    from google.protobuf.duration_pb2 import Duration as Message

    return Message(seconds=int(seconds), nanos=round(seconds % 1 * 1e9) % 10**9)


class Address(click.ParamType[str]):
    """An address to listen on or to reach, or `off` where that is allowed; comes out as it was written."""

    name = "address"

    def __init__(self, *, may_be_off: bool = False) -> None:
        self._may_be_off = may_be_off

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, if it is an address."""
        from answerback.control import address

        if self._may_be_off and str(value) == address.OFF:
            return address.OFF
        try:
            address.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def destination(text: str, what: str = "") -> "tuple[str, int] | str":
    """Where to connect: host and port, or the path of a Unix socket. Raises UsageError; `what` is the option."""
    kind, separator, path = text.partition(":")
    if kind == "unix" and separator and path:
        return path
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        name = f"{what}: " if what else ""
        raise click.UsageError(f"{name}{text!r} is not an address to connect to: write HOST:PORT or unix:PATH")
    return wildcards.destination(host.strip("[]")), int(port)


def together(*added: Callable[[F], F]) -> Callable[[F], F]:
    """These options, in their order in `--help`."""

    def add(function: F) -> F:
        for option in reversed(added):
            function = option(function)
        return function

    return add


def output(*formats: str) -> Callable[[F], F]:
    """`-o`: how the data is written; the first format is the default."""
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Output format.",
    )


change: Final = together(
    click.option("--comment", default="", metavar="TEXT", help="Reason for the change, stored in the history."),
    click.option(
        "--etag", default="", metavar="ETAG", help="Apply only if the active revision has this etag (see `show`)."
    ),
    click.option("--dry-run", is_flag=True, help="Validate only; change nothing."),
)
"""`--comment`, `--etag` and `--dry-run` of commands that change the configuration."""


def grace(function: F) -> F:
    """`--grace` of commands that close connections."""
    return click.option(
        "--grace",
        type=Duration(),
        metavar="TIME",
        show_default="--grace of `serve`",
        help="Time for replies in progress to finish after --over. Connections still open then are reset.",
    )(function)


def common(change: dict[str, Any]) -> dict[str, Any]:
    """The fields that all requests for changes have, from the options of `change`."""
    return {"comment": change["comment"], "etag": change["etag"], "validate_only": change["dry_run"]}


def server(function: F) -> F:
    """`--server` and `--timeout` of commands that call the admin API."""
    function = click.option(
        "--timeout",
        type=Duration(),
        envvar="ANSWERBACK_TIMEOUT",
        show_envvar=True,
        default="30s",
        show_default=True,
        metavar="TIME",
        help="Timeout of a request.",
    )(function)
    return endpoint(function)


def endpoint(function: F) -> F:
    """`--server` and what to show there, of commands that listen to the admin API without end."""
    return click.option(
        "--server",
        envvar="ANSWERBACK_SERVER",
        show_envvar=True,
        default=DEFAULT_ADMIN,
        show_default=True,
        metavar="ADDR",
        help="Address of the server's admin API: HOST:PORT, or unix:PATH.",
    )(credentials.options(function))


def admin(function: F) -> F:
    """`--admin`: where the admin API listens."""
    return click.option(
        "--admin",
        type=Address(),
        envvar="ANSWERBACK_ADMIN",
        show_envvar=True,
        default=DEFAULT_ADMIN,
        show_default=True,
        metavar="ADDR",
        help="Address of the gRPC admin API: HOST:PORT (port 0: any free port), or unix:PATH.",
    )(function)


def serving(function: F) -> F:
    """`--workers`, `--admin` and `--metrics` of commands that run a server."""
    http = metrics("HTTP address of /metrics, /healthz, /readyz and a status page at /; `off`: none of them.")
    return click.option(
        "--workers",
        type=click.IntRange(1, 64),
        envvar="ANSWERBACK_WORKERS",
        show_envvar=True,
        default=cpus.default_workers,
        show_default="number of usable CPUs, at most 4",
        metavar="N",
        help="Number of worker processes.",
    )(admin(http(function)))


def metrics(help_text: str, *, may_be_off: bool = True) -> Callable[[F], F]:
    """`--metrics`: where metrics and probes are served over HTTP."""
    return click.option(
        "--metrics",
        type=Address(may_be_off=may_be_off),
        envvar="ANSWERBACK_METRICS",
        show_envvar=True,
        default=DEFAULT_METRICS,
        show_default=True,
        metavar="ADDR",
        help=help_text,
    )
