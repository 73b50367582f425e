"""Headers of the PROXY protocol that are sent to an upstream: see `core.proxy_header`."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from answerback.core.proxy_header import LOCAL, PROXY, V1_PREFIX, V2_SIGNATURE, Source

UNKNOWN: Final = V1_PREFIX + b"UNKNOWN\r\n"
TCP4, TCP6 = 0x11, 0x21  # family and transport

# Types of TLVs.
ALPN, AUTHORITY, SSL = 0x01, 0x02, 0x20
SSL_VERSION, SSL_CN, SSL_CIPHER = 0x21, 0x22, 0x23

# Bits of the first byte in SSL.
CLIENT_SSL, CLIENT_CERT_CONN, CLIENT_CERT_SESS = 0x01, 0x02, 0x04


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client and we agreed on in its TLS handshake."""

    version: bytes
    cipher: bytes
    alpn: bytes
    sni: bytes
    name: bytes
    """Of the client's certificate; empty without one."""
    resumed: bool


@dataclass(frozen=True, slots=True)
class ForwardedClient:
    """A client for which a connection to an upstream is made."""

    source: Source
    """Its address and port; the address is empty if it has none, on a Unix socket."""
    destination: Source
    """The address and port that it has connected to."""
    is_local: bool = False
    """Whether it is a proxy that connects on its own behalf."""
    tls: ClientTls | None = None
    """None if it speaks plain text."""


def version_1(client: ForwardedClient) -> bytes:
    """A line of text, without TLS."""
    addresses = _addresses(client)
    if addresses is None or client.is_local:
        return UNKNOWN
    source, destination = addresses
    family = "TCP4" if source.version == 4 else "TCP6"
    text = f"{family} {_text(source)} {_text(destination)} {client.source[1]} {client.destination[1]}\r\n"
    return V1_PREFIX + text.encode()


def version_2(client: ForwardedClient) -> bytes:
    """The binary header, with TLVs about TLS."""
    if client.is_local:
        return _binary(LOCAL, 0, b"")
    tlvs = b"" if client.tls is None else _tlvs(client.tls)
    addresses = _addresses(client)
    if addresses is None:
        return _binary(PROXY, 0, tlvs)
    source, destination = addresses
    ports = b"".join(port.to_bytes(2, "big") for _, port in (client.source, client.destination))
    family = TCP4 if source.version == 4 else TCP6
    return _binary(PROXY, family, source.packed + destination.packed + ports + tlvs)


def _binary(command: int, family: int, rest: bytes) -> bytes:
    return V2_SIGNATURE + bytes((command, family)) + len(rest).to_bytes(2, "big") + rest


def _addresses(client: ForwardedClient) -> tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address] | None:
    """Both addresses, of one family: an IPv4 address beside an IPv6 address is mapped to IPv6."""
    if not client.source[0] or not client.destination[0]:
        return None
    source, destination = (ip_address(host.partition("%")[0]) for host, _ in (client.source, client.destination))
    if isinstance(source, IPv4Address) and isinstance(destination, IPv4Address):
        return source, destination
    return _mapped(source), _mapped(destination)


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(bytes(10) + b"\xff\xff" + address.packed) if isinstance(address, IPv4Address) else address


def _text(address: IPv4Address | IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(address) if mapped is None else f"::ffff:{mapped}"


def _tlvs(tls: ClientTls) -> bytes:
    bits = CLIENT_SSL
    if tls.name:
        bits |= CLIENT_CERT_SESS if tls.resumed else CLIENT_CERT_CONN | CLIENT_CERT_SESS
    unverified = 0 if tls.name else 1  # a certificate that is not valid fails the handshake
    inner = bytes((bits,)) + unverified.to_bytes(4, "big") + _tlv(SSL_VERSION, tls.version)
    inner += _tlv(SSL_CN, tls.name) + _tlv(SSL_CIPHER, tls.cipher)
    return _tlv(ALPN, tls.alpn) + _tlv(AUTHORITY, tls.sni) + _tlv(SSL, inner)


def _tlv(kind: int, value: bytes) -> bytes:
    """One TLV; nothing for an empty value."""
    return bytes((kind,)) + len(value).to_bytes(2, "big") + value if value else b""
