"""Listening addresses: what they mean, and whether two of them are in each other's way."""

import os
import posixpath
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from answerback.language.problems import quoted
from answerback.v1 import config_pb2 as v1

# Rule: nothing here asks the network: a name is refused, not looked up, so that a plan means the same everywhere.

_SHAPE = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<four>[^\[\]:]*)):(?P<port>[0-9]{1,9})")
_FORM = "write HOST:PORT, like 127.0.0.1:8000, 0.0.0.0:8000 or [::1]:8000"
_UNIX = "unix:"
_UNIX_FORM = "write unix:/run/answerback/name.sock"
_LONGEST_PATH = 107  # bytes: sun_path of unix(7) has 108, with the NUL
_ANY = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound
_MAPPED = "::ffff:"


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address, in its canonical writing, and a port. `both`: `::` takes IPv4 as well."""

    host: str
    port: int
    both: bool = False

    @property
    def is_ipv6(self) -> bool:
        """Whether it is an IPv6 address."""
        return ":" in self.host

    def __str__(self) -> str:
        """`127.0.0.1:8000`, `[::1]:80`."""
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"

    def overlaps(self, other: "Listening") -> bool:
        """Whether the two cannot both be listened on. Port 0 becomes a free port, so it never overlaps."""
        if isinstance(other, UnixAddress):
            return False
        if self.port != other.port or self.port == 0:
            return False
        if self.is_ipv6 != other.is_ipv6:
            return self.both or other.both
        return self.host == other.host or self.host in _ANY or other.host in _ANY


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket, by its absolute path in its shortest writing."""

    path: str

    def __str__(self) -> str:
        """`unix:/run/answerback.sock`."""
        return f"{_UNIX}{self.path}"

    def overlaps(self, other: "Listening") -> bool:
        """Whether the two are one."""
        return self == other


Listening: TypeAlias = Address | UnixAddress


def parse(text: str) -> Listening:
    """The address that a listener names. Raises ValueError, whose text says what is wrong."""
    if text.startswith(_UNIX):
        return _unix(text.removeprefix(_UNIX))
    found = _SHAPE.fullmatch(text)
    if not found:
        raise ValueError(_misshapen(text))
    port = int(found["port"])
    if port > 65535:
        raise ValueError(f"a port is 0 to 65535, not {port}")
    if found["six"] is not None:
        return Address(_ipv6(found["six"]), port)
    return Address(_ipv4(found["four"]), port)


def _unix(path: str) -> UnixAddress:
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise ValueError(f"a Unix socket has an absolute path: {_UNIX_FORM}, not {quoted(_UNIX + path)}")
    normal = "/" + posixpath.normpath(path).lstrip("/")
    if len(os.fsencode(normal)) > _LONGEST_PATH:
        raise ValueError(f"the path of a Unix socket has {_LONGEST_PATH} bytes at most, not {len(os.fsencode(normal))}")
    return UnixAddress(normal)


def _misshapen(text: str) -> str:
    if not text:
        return f"missing: {_FORM}"
    if "$" in text:
        return f"a file has no variables, as in {quoted(text)}: expand them with `envsubst <FILE >EXPANDED`"
    if text.count(":") > 1 and not text.startswith("["):
        return f"an IPv6 address goes in brackets, and a port behind it: [::1]:8000, not {quoted(text)}"
    _, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        return f"the port is missing: {_FORM}, not {quoted(text)}"
    if not port.isdecimal():
        return f"the port is a number, 0 to 65535, not {quoted(port)}: {_FORM}"
    return f"{_FORM}, not {quoted(text)}"


def _ipv4(host: str) -> str:
    try:
        return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, host))
    except (OSError, ValueError):
        if not host:
            raise ValueError(f"the host is missing; 0.0.0.0 is every IPv4 address: {_FORM}") from None
        if re.fullmatch(r"[0-9.]+", host):
            raise ValueError(f"{quoted(host)} is not an IPv4 address") from None
        raise ValueError(
            f"{quoted(host)} is no IP address, and names are not looked up: "
            "127.0.0.1 is this machine alone, 0.0.0.0 every IPv4 address of it"
        ) from None


def _ipv6(host: str) -> str:
    if "%" in host:
        raise ValueError(f"{quoted(host)} has a zone; write the address without it")
    try:
        canonical = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host))
    except (OSError, ValueError):
        raise ValueError(f"{quoted(host)} is not an IPv6 address") from None
    if canonical.startswith(_MAPPED) and "." in canonical:
        raise ValueError(
            f"an IPv6 listener takes IPv6 alone: write {canonical.removeprefix(_MAPPED)} for the IPv4 address"
        )
    return canonical


def own(address: str) -> Sequence[Listening]:
    """What a port of our own occupies: names of this machine, and `[::]`, stand for both families.

    Empty for what is no address.
    """
    if address.startswith(_UNIX):
        return [UnixAddress(os.path.abspath(address.removeprefix(_UNIX)))]  # noqa: PTH100 - nothing is resolved
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        return []
    number = int(port)
    if host in {"", "*", "[::]"}:
        return [Address("::", number, both=True)]
    if host.lower() == "localhost":
        return [Address("127.0.0.1", number), Address("::1", number)]
    try:
        return [parse(address)]
    except ValueError:
        return []


def occupied(address: Listening, reserved: Sequence[tuple[str, str]]) -> str | None:
    """Which of our own ports an address is in the way of: what it is, and its address."""
    for what, where in reserved:
        if any(each.overlaps(address) for each in own(where)):
            return f"{what} ({where})"
    return None


def socket_key(listener: v1.Listener) -> str:
    """What a listener's socket is known by: its address in canonical writing; for port 0, and its name.

    Raises ValueError for an address that `check` would refuse.
    """
    address = parse(listener.address)
    return f"{address}#{listener.name}" if isinstance(address, Address) and not address.port else str(address)


def of_key(key: str) -> Listening:
    """The address in a key."""
    return parse(key if key.startswith(_UNIX) else key.partition("#")[0])


def is_unix(listener: v1.Listener) -> bool:
    """Whether a listener is to be reached through a Unix socket."""
    return listener.address.startswith(_UNIX)
