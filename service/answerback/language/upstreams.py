"""The upstream of a listener: what may be wrong with it, and how it is compiled."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from answerback.core.upstream import Upstream
from answerback.language import addresses, bounds, durations
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Number, Time, Where, describe
from answerback.language.forwarding import check_replies
from answerback.language.framing import compile_reply_framing
from answerback.language.problems import Problems, quoted, step_into
from answerback.language.requests import compile_max_reply_bytes
from answerback.language.upstream_tls import check_upstream_tls
from answerback.v1 import config_pb2 as v1

# Rule: nothing here asks the network: a name that does not resolve is found when a client connects.

CONNECT_SECONDS: Final = 5.0
MAX_CONNECT_SECONDS: Final = 600

FIELDS: Final = describe(
    v1.Upstream,
    Where.LISTENER,
    address=Field('upstream: {address: "[::1]:6379"}', words="not an address that leads back to this listener"),
    connect_timeout=Time(
        "upstream: {address: unix:/run/redis.sock, connect_timeout: 300ms}",
        default="`5s`",
        zero="must be more than 0: nothing can be reached in no time",
        most=MAX_CONNECT_SECONDS,
    ),
    connect=Field(
        'upstream: {address: "[::1]:6379", connect: ON_FORWARD}',
        default="`AT_ACCEPT`",
        words="`ON_FORWARD` only with rules that answer requests or other events",
    ),
    proxy_protocol=Field("upstream: {address: redis.example:6380, proxy_protocol: V2}", default="no header"),
    tls=Field("upstream: {address: redis.example:6380, tls: {ca: ca.crt}}", default="plain text"),
    framing=Field(
        "upstream: {address: redis.example:6379, framing: resp}",
        default="none: bytes are passed on as they come",
        words="not `websocket`; only with rules, and with the listener's own `framing`",
    ),
    max_reply_bytes=Number(
        "upstream: {address: redis.example:6379, framing: resp, max_reply_bytes: 4096}",
        default="`1048576` bytes",
        words="only with `framing`",
        least=1,
        most=bounds.MAX_REQUEST_BYTES,
        unit="bytes",
    ),
)

_UNIX: Final = "unix:"
_SHAPE: Final = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<host>[^\[\]:]*)):(?P<port>[0-9]{1,9})")
_FORM: Final = "write HOST:PORT, like redis.example:6379, 127.0.0.1:6379 or [::1]:6379, or unix:/PATH"
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_MAX_NAME: Final = 253  # characters of a host name (RFC 1123, section 2.1)
_ANY: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound
_LOOPBACK: Final = ("127.0.0.1", "::1")

# What a listener with an upstream cannot have without rules that see what passes.
_WITHOUT_RULES: Final = {
    "framing": "bytes are passed on as they come, without being split into requests",
}
_LIMITS_WITHOUT_RULES: Final = {
    "request_timeout": "there are no requests: use idle_timeout or lifetime",
    "max_request_bytes": "there are no requests",
}
# The events whose rules do not see what passes.
_BEFORE_IT_PASSES: Final = frozenset((v1.EVENT_LIMIT, v1.EVENT_UPSTREAM_DOWN))


@dataclass(frozen=True, slots=True)
class Place:
    """Where an upstream is: the host in its canonical writing and its port, or the path of a Unix socket."""

    host: str
    port: int
    path: str = ""


def parse(text: str) -> Place:
    """The address of an upstream. Raises ValueError, whose text says what is wrong."""
    if text.startswith(_UNIX):
        return Place("", 0, str(addresses.parse(text)).removeprefix(_UNIX))
    found = _SHAPE.fullmatch(text)
    if not found:
        if text.count(":") > 1 and not text.startswith("["):
            raise ValueError(f"an IPv6 address goes in brackets, and a port behind it: [::1]:6379, not {quoted(text)}")
        raise ValueError(f"{_FORM}, not {quoted(text)}" if text else f"missing: {_FORM}")
    port = int(found["port"])
    if not 1 <= port <= 65535:
        raise ValueError(f"the port of an upstream is 1 to 65535, not {port}")
    host = _ipv6(found["six"]) if found["six"] is not None else _host(found["host"])
    if host in _ANY:
        raise ValueError(f"{host} is an address to listen on; to connect to this machine, write 127.0.0.1 or [::1]")
    return Place(host, port)


def _ipv6(host: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise ValueError(f"{quoted(host)} is not an IPv6 address") from None


def _host(host: str) -> str:
    if re.fullmatch(r"[0-9.]+", host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(f"{quoted(host)} is not an IPv4 address") from None
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{quoted(host)} is not the name of a host: {_FORM}")
    return host.lower()


def check_upstream(listener: v1.Listener, path: str, checking: Checking) -> None:
    """Report what is wrong with a listener that has an upstream."""
    given, here = listener.upstream, step_into(path, "upstream")
    FIELDS.check(given, here, checking)
    at = step_into(here, "proxy_protocol")
    bounds.enum(v1.Upstream.HeaderVersion.DESCRIPTOR, given.proxy_protocol, at, checking.problems)
    bounds.enum(v1.Upstream.Connect.DESCRIPTOR, given.connect, step_into(here, "connect"), checking.problems)
    _check_place(given, here, checking)
    streams = is_stream(listener)
    check_replies(listener, here, checking, streams=streams)
    for field, _ in listener.ListFields():
        if streams and field.name in _WITHOUT_RULES:
            why = f"not with an upstream without rules: {_WITHOUT_RULES[field.name]}"
            checking.add(step_into(path, field.name), why)
    if listener.tls.start == v1.Tls.START_ON_STEP:
        checking.add(
            f"{path}.tls.start", "not with an upstream: TLS begins with the connection, or the upstream begins it"
        )
    if streams:
        _check_stream(listener, path, checking)


def _check_stream(listener: v1.Listener, path: str, checking: Checking) -> None:
    """Report what is wrong with a listener that passes everything on."""
    if listener.upstream.connect == v1.Upstream.CONNECT_ON_FORWARD:
        checking.add(f"{path}.upstream.connect", "ON_FORWARD is for listeners with rules: without, all is passed on")
    if listener.HasField("random_seed") and not listener.faults and not listener.rules:
        checking.add(step_into(path, "random_seed"), "not with an upstream without faults: nothing is left to chance")
    for field, _ in listener.limits.ListFields():
        if field.name in _LIMITS_WITHOUT_RULES:
            why = f"not with an upstream without rules: {_LIMITS_WITHOUT_RULES[field.name]}"
            checking.add(f"{path}.limits.{field.name}", why)
    if listener.journal.HasField("body_bytes"):
        why = "not with an upstream without rules: the journal keeps one record of each connection, without its bytes"
        checking.add(f"{path}.journal.body_bytes", why)


def _check_place(given: v1.Upstream, path: str, checking: Checking) -> None:
    """Report what is wrong with the address, and with TLS there."""
    host = "unknown"
    if given.address:  # else it is reported as missing
        try:
            host = parse(given.address).host
        except ValueError as problem:
            checking.add(step_into(path, "address"), str(problem))
    if given.HasField("tls"):
        check_upstream_tls(given.tls, host, step_into(path, "tls"), checking)


def is_stream(listener: v1.Listener) -> bool:
    """Whether no rule sees what passes: there are none, or only such as act before it does."""
    return all(rule.event in _BEFORE_IT_PASSES for rule in listener.rules)


def check_loops(listeners: Sequence[v1.Listener], problems: Problems) -> None:
    """Report each listener whose upstream is itself, or leads back to it by way of others."""
    following = {index: _next(listener, listeners) for index, listener in enumerate(listeners)}
    for index in following:
        way = list(_way(index, following))
        if way and way[-1] == index:
            by = "".join(f" by way of listeners[{each}]" for each in way[:-1])
            why = (
                f"{listeners[index].upstream.address} leads back to this listener{by}: its connections would never end"
            )
            problems.add(f"listeners[{index}].upstream.address", why)


def _way(start: int, following: dict[int, int | None]) -> Iterator[int]:
    """The listeners that a connection passes through, until one answers it or comes a second time."""
    seen: set[int] = set()
    at = following[start]
    while at is not None and at not in seen:
        yield at
        seen.add(at)
        if at == start:
            return
        at = following[at]


def _next(listener: v1.Listener, listeners: Sequence[v1.Listener]) -> int | None:
    """The listener that the upstream of this one is; None if it is another server, or there is none."""
    if not listener.HasField("upstream"):
        return None
    try:
        place = parse(listener.upstream.address)
    except ValueError:
        return None  # reported where it is checked
    return next((index for index, each in enumerate(listeners) if _accepts(each, place)), None)


def _accepts(listener: v1.Listener, place: Place) -> bool:
    """Whether a connection to this place reaches the listener, as far as the addresses tell."""
    try:
        listening = addresses.parse(listener.address)
    except ValueError:
        return False
    if isinstance(listening, addresses.UnixAddress):
        return listening.path == place.path
    if place.path or not listening.port or listening.port != place.port:
        return False
    hosts = _LOOPBACK if place.host == "localhost" else (place.host,)
    return any(_reaches(host, listening.host) for host in hosts)


def _reaches(host: str, listening: str) -> bool:
    """Whether a connection to the address `host` reaches this machine's `listening`."""
    if host == listening:
        return True
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return loopback and listening == ("::" if ":" in host else "0.0.0.0")  # noqa: S104 - compared with, not bound


def compile_upstream(given: v1.Upstream, compiling: Compiling) -> Upstream:
    """The upstream, its default filled in; without its TLS, which needs the content of files."""
    place = parse(given.address)
    seconds = durations.seconds(given.connect_timeout) if given.HasField("connect_timeout") else CONNECT_SECONDS
    on_forward = given.connect == v1.Upstream.CONNECT_ON_FORWARD
    return Upstream(
        place.host,
        place.port,
        place.path,
        seconds,
        header_version=given.proxy_protocol,
        on_forward=on_forward,
        framing=compile_reply_framing(given.framing, compiling) if given.HasField("framing") else None,
        max_reply_bytes=compile_max_reply_bytes(given),
    )
