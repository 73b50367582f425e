"""The address of the admin API, and whether other machines can reach it."""

import ipaddress
from dataclasses import dataclass

# Rule: nothing here resolves names: what an address means must not depend on a name server.

UNIX = "unix:"
LOCALHOST = "localhost"
OFF = "off"  # in place of an address: not served


@dataclass(frozen=True, slots=True)
class Address:
    """`HOST:PORT`, the host an IP address (IPv6 in brackets) or `localhost`, or `unix:PATH`."""

    text: str
    host: str
    """The host without brackets; empty for a Unix socket."""
    port: int
    path: str = ""
    """The path of a Unix socket."""

    @property
    def private(self) -> bool:
        """Whether only this machine can reach it."""
        return bool(self.path) or ipaddress.ip_address(self.host).is_loopback

    def bound(self, port: int) -> str:
        """Return the address as text, with the port that the kernel chose."""
        return self.text if self.path else f"{bracketed(self.host)}:{port}"


def parse(text: str) -> Address:
    """Parse an address; ValueError says what is wrong with it."""
    if text.startswith(UNIX):
        path = text.removeprefix(UNIX)
        if not path:
            raise ValueError(f"{text!r} names no path")
        return Address(text, "", 0, path)
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT")
    if host == LOCALHOST:
        host = "127.0.0.1"  # gRPC would also listen on ::1, and accept it if only one of them works
    literal = host.removeprefix("[").removesuffix("]")
    try:
        version = ipaddress.ip_address(literal).version
    except ValueError:
        raise ValueError(f"{text!r}: the host is neither an IP address nor localhost") from None
    if (version == 6) != host.startswith("["):
        raise ValueError(f"{text!r}: an IPv6 address, and only that, needs brackets")
    return Address(text, literal, int(port))


def bracketed(host: str) -> str:
    """Return the host as written before a port."""
    return f"[{host}]" if ":" in host else host


def reserved(admin: str, metrics: str, toxiproxy_api: str = OFF) -> tuple[tuple[str, str], ...]:
    """Return the names and addresses of our own ports, so that a configuration that overlaps them is rejected.

    Port 0 clashes with nothing, and neither does what is off.
    """
    given = (("the admin API", admin), ("the metrics", metrics), ("Toxiproxy's API", toxiproxy_api))
    ours = [(what, parse(text)) for what, text in given if text != OFF]
    return tuple((what, address.bound(address.port)) for what, address in ours if address.port or address.path)
