"""Headers of the PROXY protocol towards an upstream: what is read of them is what was to be said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.proxy_header import V1_BYTES, ProxyHeader, Source, read_header
from answerback.core.proxy_sending import ClientTls, ForwardedClient, version_1, version_2

hosts = st.ip_addresses().filter(lambda it: getattr(it, "ipv4_mapped", None) is None).map(str)
sources = st.tuples(hosts, st.integers(0, 65535))
HERE: Source = ("192.0.2.2", 443)
TLS = ClientTls(b"TLSv1.3", b"TLS_AES_256_GCM_SHA384", b"h2", b"a.test", b"client", resumed=False)


@given(sources, sources)
def test_both_versions_say_the_addresses(source: Source, destination: Source) -> None:
    client = ForwardedClient(source, destination)
    for header in (version_1(client), version_2(client)):
        found = read_header(header)
        assert found is not None
        assert (found.size, found.source, found.destination) == (len(header), source, destination)
    assert len(version_1(client)) <= V1_BYTES


def test_version_1_is_a_line() -> None:
    client = ForwardedClient(("192.0.2.1", 40000), HERE, tls=TLS)
    assert version_1(client) == b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n"
    other = ForwardedClient(("2001:db8::1", 40000), HERE)
    assert version_1(other) == b"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 40000 443\r\n"


def test_zone_of_an_address_is_left_out() -> None:
    client = ForwardedClient(("fe80::1%eth0", 1), ("fe80::2%eth0", 2))
    assert version_1(client) == b"PROXY TCP6 fe80::1 fe80::2 1 2\r\n"


@pytest.mark.parametrize("source, destination", [(("", 0), HERE), (HERE, ("", 0))])
def test_client_without_an_address_is_unknown(source: Source, destination: Source) -> None:
    client = ForwardedClient(source, destination)
    assert version_1(client) == b"PROXY UNKNOWN\r\n"
    assert version_2(client) == b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"


def test_own_connection_of_a_proxy_is_local() -> None:
    client = ForwardedClient(HERE, HERE, is_local=True, tls=TLS)
    assert version_1(client) == b"PROXY UNKNOWN\r\n"
    assert version_2(client) == b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
    assert read_header(version_2(client)) == ProxyHeader(16, is_local=True)


def tlvs(header: bytes) -> list[tuple[int, bytes]]:
    """The TLVs behind the addresses of IPv4."""
    return parts(header[16 + 12 :])


def parts(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        size = int.from_bytes(data[1:3], "big")
        found.append((data[0], data[3 : 3 + size]))
        data = data[3 + size :]
    return found


def test_version_2_says_what_the_client_said_in_its_handshake() -> None:
    alpn, authority, (kind, secure) = tlvs(version_2(ForwardedClient(HERE, HERE, tls=TLS)))
    assert (alpn, authority, kind) == ((0x01, b"h2"), (0x02, b"a.test"), 0x20)
    assert secure[:5] == b"\x07\0\0\0\0"  # TLS, with a certificate on this connection, which is valid
    assert parts(secure[5:]) == [(0x21, b"TLSv1.3"), (0x22, b"client"), (0x23, b"TLS_AES_256_GCM_SHA384")]


def test_version_2_says_nothing_that_the_client_did_not_say() -> None:
    tls = ClientTls(b"TLSv1.2", b"C", b"", b"", b"", resumed=True)
    ((kind, secure),) = tlvs(version_2(ForwardedClient(HERE, HERE, tls=tls)))
    assert (kind, secure[:5], parts(secure[5:])) == (0x20, b"\x01\0\0\0\x01", [(0x21, b"TLSv1.2"), (0x23, b"C")])
    assert tlvs(version_2(ForwardedClient(HERE, HERE))) == []


def test_certificate_of_a_resumed_session_is_said_to_be_of_the_session() -> None:
    tls = ClientTls(b"TLSv1.3", b"C", b"", b"", b"client", resumed=True)
    ((_, secure),) = tlvs(version_2(ForwardedClient(HERE, HERE, tls=tls)))
    assert secure[:5] == b"\x05\0\0\0\0"
