"""Where the admin API listens, and who can reach it there."""

import ipaddress
from dataclasses import dataclass

# Rule: nothing here resolves names: what an address means must not depend on a name server.

UNIX = "unix:"
LOCALHOST = "localhost"


@dataclass(frozen=True, slots=True)
class Address:
    """`HOST:PORT`, the host an IP address (IPv6 in brackets) or `localhost`, or `unix:PATH`."""

    text: str
    host: str
    """Without brackets; empty for a Unix socket."""
    port: int
    path: str = ""
    """Of a Unix socket."""

    @property
    def private(self) -> bool:
        """Only this machine reaches it."""
        return bool(self.path) or ipaddress.ip_address(self.host).is_loopback

    def bound(self, port: int) -> str:
        """The address as text, with the port that the kernel chose."""
        return self.text if self.path else f"{bracketed(self.host)}:{port}"


def parse(text: str) -> Address:
    """The address that was written; ValueError says what is wrong with it."""
    if text.startswith(UNIX):
        path = text.removeprefix(UNIX)
        if not path:
            raise ValueError(f"{text!r} names no path")
        return Address(text, "", 0, path)
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT")
    if host == LOCALHOST:
        host = "127.0.0.1"  # gRPC would take ::1 as well, and be content with either
    literal = host.removeprefix("[").removesuffix("]")
    try:
        version = ipaddress.ip_address(literal).version
    except ValueError:
        raise ValueError(f"{text!r}: the host is neither an IP address nor localhost") from None
    if (version == 6) != host.startswith("["):
        raise ValueError(f"{text!r}: an IPv6 address, and no other, stands in brackets")
    return Address(text, literal, int(port))


def bracketed(host: str) -> str:
    """The host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def reserved(admin: str, metrics: str) -> tuple[tuple[str, str], ...]:
    """What our own ports are and where, so that a configuration that wants one of them is refused by its text.

    Port 0 clashes with nothing.
    """
    ours = (("the admin API", parse(admin)), ("the metrics", parse(metrics)))
    return tuple((what, address.bound(address.port)) for what, address in ours if address.port or address.path)
