"""PROXY headers that a relay sends to its upstream."""

from dataclasses import replace

from answerback.core.plan import ListenerPlan
from answerback.core.proxy_header import ProxyProtocol, read_header
from tests.net.conftest import Client, Serving
from tests.net.relay.test_secure_upstreams import client_tls, server_context
from tests.net.relay.upstreams import Accepted, Server, relaying
from tests.net.test_tls import Secured
from tests.tls import certificates

HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n"
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def telling(server: Server, version: int = 1) -> ListenerPlan:
    return relaying(replace(server.upstream, header_version=version))


def line(upstream: Accepted) -> bytes:
    heard = b""
    while not heard.endswith(b"\r\n"):
        heard += upstream.hear(1)
    return heard


def expected(client: Client) -> bytes:
    host, port = client.sock.getsockname()
    _, to = client.sock.getpeername()
    return f"PROXY TCP4 {host} 127.0.0.1 {port} {to}\r\n".encode()


def test_client_is_named_before_its_first_byte(serving: Serving, server: Server) -> None:
    serving.commit(telling(server))
    client = serving.connect()
    upstream = server.accept()
    assert line(upstream) == expected(client)
    client.say(b"question")
    assert upstream.hear(8) == b"question"


def test_client_that_a_proxy_has_named_is_passed_on(serving: Serving, server: Server) -> None:
    for version in (1, 2):
        serving.commit(replace(telling(server, version), proxy_protocol=ProxyProtocol()))
        client = serving.connect().say(HEADER + b"a")
        upstream = server.accept()
        header = read_header(upstream.hear(len(HEADER) if version == 1 else 28))
        assert header is not None
        assert (header.source, header.destination) == (("192.0.2.1", 1111), ("192.0.2.2", 2222))
        assert upstream.hear(1) == b"a"
        client.close()


def test_own_connection_of_a_proxy_stays_one(serving: Serving, server: Server) -> None:
    serving.commit(replace(telling(server, 2), proxy_protocol=ProxyProtocol()))
    client = serving.connect().say(LOCAL + b"a")
    assert server.accept().hear(len(LOCAL) + 1) == LOCAL + b"a"
    client.close()


def test_version_2_says_what_the_client_said_in_its_handshake(serving: Serving, server: Server) -> None:
    serving.commit(replace(telling(server, 2), tls=certificates.server(alpn=("h2",), clients=True)))
    own = certificates.issued("client.test", common_name="somebody")
    client = Secured(serving, certificates.client(alpn=["h2"], own=own))
    upstream = server.accept()
    head = upstream.hear(16)
    rest = upstream.hear(int.from_bytes(head[14:], "big"))
    assert rest[12:].startswith(b"\x01\0\x02h2\x02\0\x09localhost")
    for said in (
        b"\x21\0\x07TLSv1.3",
        b"\x22\0\x08somebody",
        b"\x23\0" + bytes((len(cipher(client)),)) + cipher(client),
    ):
        assert said in rest
    client.sock.sendall(b"question")
    assert upstream.hear(8) == b"question"


def cipher(client: Secured) -> bytes:
    agreed = client.sock.cipher()
    assert agreed is not None
    return agreed[0].encode()


def test_header_comes_before_tls_with_the_upstream(serving: Serving, server: Server) -> None:
    serving.commit(relaying(replace(server.upstream, header_version=1, tls=client_tls())))
    client = serving.connect().say(b"question")
    upstream = server.accept()
    assert line(upstream) == expected(client)
    upstream.sock = server_context().wrap_socket(upstream.sock, server_side=True)
    assert upstream.hear(8) == b"question"


def test_client_of_a_unix_socket_is_unknown(unix_serving: Serving, server: Server) -> None:
    unix_serving.commit(telling(server))
    client = unix_serving.connect()
    assert line(server.accept()) == b"PROXY UNKNOWN\r\n"
    client.close()
