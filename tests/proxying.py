"""PROXY headers, made as HAProxy's proxy-protocol.txt describes them, section 2.1 and 2.2."""

import socket
import struct
from typing import Final

SIGNATURE: Final = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
PROXY, LOCAL = 1, 0
UNSPEC, INET, INET6, UNIX = range(4)
STREAM, DGRAM = 1, 2
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL, NETNS = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x30

Tlv = tuple[int, bytes]


def v1(source: str = "192.0.2.7", port: int = 40123, destination: str = "198.51.100.1", to: int = 443) -> bytes:
    """A line of version 1."""
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {destination} {port} {to}\r\n".encode()


def v2(
    source: str = "192.0.2.7",
    port: int = 40123,
    destination: str = "198.51.100.1",
    to: int = 443,
    *,
    tlvs: list[Tlv] | tuple[Tlv, ...] = (),
    transport: int = STREAM,
) -> bytes:
    """A header of version 2 for two IP addresses."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    hosts = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    number = INET6 if ":" in source else INET
    return binary(number, transport, hosts + struct.pack("!HH", port, to), tlvs)


def v2_unix(source: bytes = b"/run/client", *, tlvs: list[Tlv] | tuple[Tlv, ...] = ()) -> bytes:
    """A header of version 2 for a client of a Unix socket."""
    return binary(UNIX, STREAM, struct.pack("108s108s", source, b"/run/proxy"), tlvs)


def binary(
    family: int,
    transport: int,
    addresses: bytes = b"",
    tlvs: list[Tlv] | tuple[Tlv, ...] = (),
    *,
    command: int = PROXY,
    version: int = 2,
) -> bytes:
    """A header of version 2 of these parts."""
    rest = addresses + b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in tlvs)
    return SIGNATURE + struct.pack("!BBH", version << 4 | command, family << 4 | transport, len(rest)) + rest


def local(rest: bytes = b"") -> bytes:
    """The header of a connection that a proxy makes on its own behalf."""
    return binary(UNSPEC, 0, rest, command=LOCAL)


def castagnoli(data: bytes) -> int:
    """CRC-32C as the remainder of a division of polynomials, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            carry = (value ^ (byte >> bit)) & 1
            value = value >> 1 ^ (0x82F63B78 if carry else 0)
    return value ^ 0xFFFFFFFF


def checked(header: bytes) -> bytes:
    """The same header of version 2, with a TLV that has its checksum behind the others."""
    length = int.from_bytes(header[14:16], "big") + 7
    unsigned = header[:14] + struct.pack("!H", length) + header[16:] + struct.pack("!BHI", CRC32C, 4, 0)
    return unsigned[:-4] + struct.pack("!I", castagnoli(unsigned))
