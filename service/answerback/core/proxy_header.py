"""The header of the PROXY protocol, with which a proxy names the client that it connects for.

Versions 1 and 2, as HAProxy's proxy-protocol.txt specifies them. Version 1 is a line of text, version 2 is binary:

    signature (12) | version and command (1) | family and transport (1) | length (2) | addresses | TLVs

The command LOCAL, and an address family that is not that of an IP address, leave the addresses of the socket in place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

# Rule: a header is found, or rejected, however the stream was cut. What is read of one is bounded.

V1_PREFIX: Final = b"PROXY "
V1_BYTES: Final = 107  # the longest line of version 1, with its end
V2_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
V2_HEAD: Final = 16  # bytes before the addresses
V2_BYTES: Final = 4096  # what may follow them; senders have 65,535, and use some hundred

LOCAL, PROXY = 0x20, 0x21
UNIX: Final = 3  # the upper half of the byte for family and transport
ADDRESS_BYTES: Final = {0x00: 0, 0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216}
"""The bytes of the two addresses, by family and transport: UNSPEC, and IPv4, IPv6, Unix with STREAM and DGRAM."""

TLV_HEAD: Final = 3
CRC32C: Final = 3  # the type of the TLV with the header's checksum
CRC32C_BYTES: Final = 4
CRC32C_POLYNOMIAL: Final = 0x82F63B78  # of RFC 3720, reflected

Source = tuple[str, int]
"""A client's address and port."""


class NoHeader(Exception):
    """The stream does not begin with a header."""


class InvalidHeader(Exception):
    """The stream begins like a header, and is not one."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header."""

    size: int
    """Its bytes; what follows is the client's."""
    source: Source | None = None
    """The client; ("", 0) if it has connected to the proxy by a Unix socket, None if the header does not say."""
    destination: Source | None = field(default=None, compare=False)
    """What the client has connected to; like `source`."""
    is_local: bool = False
    """Whether the proxy connects on its own behalf, for a health check for example."""


@dataclass(frozen=True, slots=True)
class ProxyProtocol:
    """Which connections of a listener begin with a header."""

    required: bool = True
    senders: tuple[IPv4Network | IPv6Network, ...] = ()
    """Who may send one; everyone if it is empty."""
    timeout: float = 5.0
    """In seconds from accept, for the whole header."""

    def trusts(self, host: str) -> bool:
        """Whether a peer with this address may send a header; it is empty for a Unix socket."""
        if not self.senders or not host:
            return not self.senders
        address = ip_address(host.partition("%")[0])
        return any(address in network for network in self.senders)


def begins_header(data: bytes) -> bool:
    """Whether these bytes can only be a header: they begin with the whole prefix of a version."""
    return data.startswith((V1_PREFIX, V2_SIGNATURE))


def read_header(data: bytes) -> ProxyHeader | None:
    """Return the header that a stream begins with; None if more bytes are needed.

    Raises NoHeader at the first byte that is not a header's, and InvalidHeader.
    """
    if data.startswith(V1_PREFIX):
        return _version_1(data)
    if data.startswith(V2_SIGNATURE):
        return _version_2(data)
    if V1_PREFIX.startswith(data) or V2_SIGNATURE.startswith(data):
        return None
    raise NoHeader


def _version_1(data: bytes) -> ProxyHeader | None:
    """`PROXY TCP4 192.0.2.1 192.0.2.2 40000 443`, CR and LF."""
    end = data.find(b"\n", 0, V1_BYTES)
    if end < 0:
        if len(data) >= V1_BYTES:
            raise InvalidHeader
        return None
    if data[end - 1 : end] != b"\r":
        raise InvalidHeader
    family, *rest = data[len(V1_PREFIX) : end - 1].split(b" ")
    if family == b"UNKNOWN":  # whatever follows says nothing
        return ProxyHeader(end + 1)
    if family not in {b"TCP4", b"TCP6"} or len(rest) != 4:
        raise InvalidHeader
    source, destination, source_port, destination_port = rest
    kind = IPv4Address if family == b"TCP4" else IPv6Address
    host = _written_address(kind, source)
    to = _written_address(kind, destination), _written_port(destination_port)
    return ProxyHeader(end + 1, (host, _written_port(source_port)), to)


def _written_address(kind: type[IPv4Address | IPv6Address], text: bytes) -> str:
    try:
        if b"%" in text:  # a zone is none of the header's
            raise InvalidHeader
        return _canonical(kind(text.decode("ascii")))
    except ValueError:
        raise InvalidHeader from None


def _written_port(text: bytes) -> int:
    if not text.isdigit() or len(text) > 5 or (text[:1] == b"0" and text != b"0") or int(text) > 65_535:
        raise InvalidHeader
    return int(text)


def _version_2(data: bytes) -> ProxyHeader | None:
    if len(data) < V2_HEAD:
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:V2_HEAD], "big")
    size = V2_HEAD + length
    addresses = ADDRESS_BYTES.get(family)
    if command not in {LOCAL, PROXY} or length > V2_BYTES:
        raise InvalidHeader
    if command == PROXY and (addresses is None or length < addresses):
        raise InvalidHeader
    if len(data) < size:
        return None
    if command == LOCAL:  # the receiver discards everything else
        return ProxyHeader(size, is_local=True)
    if not addresses:
        return ProxyHeader(size)
    if not _is_intact(data[:size], V2_HEAD + addresses):
        raise InvalidHeader
    source, destination = (_address(data, addresses, index, is_unix=family >> 4 == UNIX) for index in (0, 1))
    return ProxyHeader(size, source, destination)


def _address(data: bytes, addresses: int, index: int, *, is_unix: bool) -> Source:
    """One of two addresses: both hosts, then both ports."""
    if is_unix:
        return "", 0
    width = addresses // 2 - 2
    at, port_at = V2_HEAD + index * width, V2_HEAD + 2 * width + 2 * index
    return _canonical(ip_address(data[at : at + width])), int.from_bytes(data[port_at : port_at + 2], "big")


def _canonical(address: IPv4Address | IPv6Address) -> str:
    """The address as text; an IPv4 address that is mapped to IPv6 is that of the same client as without."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


# ── TLVs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_intact(header: bytes, tlvs_at: int) -> bool:
    """Whether each TLV ends within the header, and the checksum is right if there is one."""
    sums = []
    for kind, at, end in _tlvs(header, tlvs_at):
        if end > len(header):
            return False
        if kind == CRC32C:
            sums.append((at, end))
    if not sums:
        return True
    (at, end), *more = sums
    if more or end - at != CRC32C_BYTES:
        return False
    return int.from_bytes(header[at:end], "big") == crc32c(header[:at] + bytes(CRC32C_BYTES) + header[end:])


def _tlvs(header: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield the type of each TLV, and where its value begins and ends; an end past the header's is the last."""
    while at < len(header):
        value_at = at + TLV_HEAD
        end = value_at + int.from_bytes(header[at + 1 : value_at], "big")
        yield header[at], value_at, end
        at = end


def crc32c(data: bytes) -> int:
    """The checksum of RFC 3720 (Castagnoli)."""
    table, value = _crc32c_table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


@cache
def _crc32c_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (CRC32C_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901 - shifted out bit by bit
        table.append(value)
    return tuple(table)
