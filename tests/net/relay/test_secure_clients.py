"""Clients of a relay that speak TLS, or come by way of a proxy: both end here, and the upstream gets what is inside."""

import random
import socket
import ssl
import threading
from dataclasses import replace

import pytest

from answerback.core.actions import CloseReason
from answerback.core.delays import Fixed
from answerback.core.faults import Fault, Latency, Truncate
from answerback.core.plan import Limits, ListenerPlan
from answerback.core.proxy_header import ProxyProtocol
from answerback.core.relay import relay
from answerback.core.tls import Handshakes
from answerback.net.relay.connection import RelayedConnection
from answerback.shared import listener_counters
from tests.net.conftest import Client, Serving
from tests.net.relay.upstreams import Accepted, Server, relaying
from tests.net.test_tls import Secured, ssl_hello
from tests.tls import certificates
from tests.tls.both_ways import talk_both_ways
from tests.tls.cutting import CutTls
from tests.tls.playing import TLS12, TLS13
from tests.waiting import eventually

CELL = 5000  # a cell that no listener's block reaches
HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n"
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def secured(server: Server, handshake_timeout: float = 10.0, **limits: float) -> ListenerPlan:
    return replace(relaying(server.upstream, **limits), tls=certificates.server(handshake_timeout=handshake_timeout))


def behind_proxy(server: Server, **settings: object) -> ListenerPlan:
    return replace(relaying(server.upstream), proxy_protocol=ProxyProtocol(**settings))  # type: ignore[arg-type]


def connected(serving: Serving, server: Server) -> tuple[Secured, Accepted]:
    client = Secured(serving)
    return client, server.accept()


def half_close(client: Secured) -> None:
    """Send close_notify, without FIN."""
    client.sock.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        client.sock.unwrap()
    client.sock.settimeout(10)


def test_exception_in_what_is_done_with_plain_text_resets_both(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving.commit(secured(server))
    client, upstream = connected(serving, server)

    def broken(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(RelayedConnection, "take_data", broken)
    client.sock.sendall(b"x")
    with pytest.raises(ConnectionResetError):
        upstream.sock.recv(1)
    serving.settle()
    assert serving.ended() == {CloseReason.INTERNAL_ERROR: 1}
    assert serving.count(listener_counters.SESSION_ERRORS) == 1


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_upstream_gets_plain_text_and_byte_counters_count_the_wire(
    serving: Serving, server: Server, version: ssl.TLSVersion
) -> None:
    serving.commit(secured(server))
    client = Secured(serving, certificates.client(version=version))
    upstream = server.accept()
    client.sock.sendall(b"question")
    assert upstream.hear(8) == b"question"
    upstream.say(b"answer")
    assert client.client.hear(6) == b"answer"
    eventually(lambda: serving.count(listener_counters.UPSTREAM_SENT_BYTES) == 8)
    assert serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) == 6
    assert serving.count(listener_counters.RECEIVED_BYTES) > 300
    assert serving.count(listener_counters.SENT_BYTES) > 500
    outcome = Handshakes.TLS_1_2 if version is TLS12 else Handshakes.TLS_1_3
    assert serving.count(listener_counters.HANDSHAKES + outcome) == 1


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_plain_text_does_not_depend_on_where_records_are_cut(serving: Serving, server: Server, size: int) -> None:
    serving.commit(secured(server))
    client = CutTls(serving.connect().sock, certificates.client(), size, "localhost")
    upstream = server.accept()
    client.say(b"one").say(b"x" * 3000)
    assert upstream.hear(3003) == b"one" + b"x" * 3000
    upstream.say(b"answer")
    assert client.hear(6) == b"answer"


def test_upstream_is_not_connected_to_before_the_handshake(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    hello = ssl_hello()
    client = serving.connect().say(hello[:100])
    listener = next(iter(serving.listeners.named(["it"])))
    eventually(lambda: [each.waits_for for each in tuple(listener.connections)] == ["handshake"])
    server.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.sock.accept()
    client.reset()
    serving.settle()
    assert serving.closed(CloseReason.PEER_RESET) == 1
    assert serving.count(listener_counters.HANDSHAKES + Handshakes.FAILED) == 1


def test_close_notify_is_passed_on_as_fin_and_leaves_the_other_direction_open(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client, upstream = connected(serving, server)
    client.sock.sendall(b"all")
    half_close(client)
    assert upstream.hear_all() == b"all"
    upstream.say(b"late").finish()
    assert client.client.hear(4) == b"late"
    with pytest.raises(ssl.SSLZeroReturnError):  # close_notify in both directions
        client.sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.PEER_EOF) == 1


def test_fin_of_the_upstream_is_passed_on_as_close_notify(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client, upstream = connected(serving, server)
    upstream.say(b"all").finish()
    assert client.hear_all() == b"all"  # raises without close_notify
    client.sock.sendall(b"late")
    assert upstream.hear(4) == b"late"
    client.sock.unwrap()
    serving.settle()
    assert serving.closed(CloseReason.UPSTREAM_EOF) == 1


def test_bare_fin_is_passed_on_and_has_its_own_reason(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client, upstream = connected(serving, server)
    client.sock.sendall(b"all")
    socket.socket.shutdown(client.sock, socket.SHUT_WR)
    assert upstream.hear_all() == b"all"
    upstream.say(b"late").finish()
    assert client.hear_all() == b"late"
    serving.settle()
    assert serving.closed(CloseReason.TLS_CUT) == 1


def test_reset_of_the_upstream_reaches_the_client_without_close_notify(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client, upstream = connected(serving, server)
    upstream.say(b"a")
    assert client.client.hear(1) == b"a"
    upstream.reset()
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        client.sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.UPSTREAM_RESET) == 1


def test_record_that_is_not_valid_resets_both(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client, upstream = connected(serving, server)
    client.sock.sendall(b"a")
    assert upstream.hear(1) == b"a"
    socket.socket.send(client.sock, b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ConnectionResetError):
        upstream.hear_all()
    serving.settle()
    assert serving.closed(CloseReason.TLS_ERROR) == 1


def test_large_random_data_passes_both_ways(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client, upstream = connected(serving, server)
    data = random.Random(5).randbytes(3 << 20)
    heard: list[bytes] = []
    speakers = [
        threading.Thread(target=upstream.say, args=(data[::-1],)),
        threading.Thread(target=lambda: heard.append(upstream.hear(len(data)))),
    ]
    for each in speakers:
        each.start()
    assert talk_both_ways(client.sock, data, len(data)) == data[::-1]
    for each in speakers:
        each.join(60)
    assert heard == [data]


def test_slow_client_stops_a_fast_upstream(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client = Secured(serving, receive_buffer=65536)
    upstream = server.accept()
    data = random.Random(6).randbytes(16 << 20)
    speaker = threading.Thread(target=lambda: upstream.say(data).finish())
    speaker.start()
    eventually(lambda: serving.count(listener_counters.SENT_BYTES) > 100_000)
    assert serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) < 8 << 20
    assert client.hear_all() == data
    speaker.join(60)


def test_faults_act_on_plain_text(serving: Serving, server: Server) -> None:
    cut = Fault("cut", CELL, Truncate(5, by_reset=False), per_connection=True)
    late = Fault("late", CELL, Latency(Fixed(0.05)))
    serving.commit(replace(secured(server), relay_faults=((late,), (cut,))))
    client, upstream = connected(serving, server)
    client.sock.sendall(b"question")
    assert upstream.hear(8) == b"question"
    upstream.say(b"abcdefgh")
    assert client.client.hear(5) == b"abcde"
    with pytest.raises(ssl.SSLEOFError):  # the stream was not complete: no close_notify
        client.sock.recv(1)
    upstream.close()
    client.client.close()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_CLOSE) == 1


def test_client_that_speaks_plain_text_is_closed_in_order(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client = serving.connect().say(b"GET / HTTP/1.1\r\n\r\n")
    assert client.hear_all() == b""
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.NOT_TLS) == 1
    assert serving.count(listener_counters.HANDSHAKES + Handshakes.FAILED) == 1
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 0


def test_client_that_leaves_without_a_byte_is_no_failure(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    assert serving.connect().finish().hear_all() == b""
    serving.settle()
    assert serving.closed(CloseReason.PEER_EOF) == 1
    assert serving.count(listener_counters.HANDSHAKES + Handshakes.FAILED) == 0
    assert serving.count(listener_counters.PROBES) == 1


def test_client_that_sends_fin_in_its_handshake_is_closed_without_a_wait(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "LINGER_SECONDS", 600.0)
    serving.commit(secured(server))
    client = serving.connect().say(ssl_hello()[:50]).finish()
    client.hear_all()
    assert serving.ended() == {CloseReason.TLS_HANDSHAKE: 1}


def test_half_open_handshakes_end_at_their_timeout(serving: Serving, server: Server) -> None:
    serving.commit(secured(server, handshake_timeout=0.3))
    hello = ssl_hello()
    clients = [serving.connect() for _ in range(20)]
    for number, client in enumerate(clients):
        client.say(hello[: number * 5])
    for client in clients:
        client.hear_all()
        client.close()
    serving.settle()
    assert serving.closed(CloseReason.TLS_HANDSHAKE) == 20


def test_removal_of_the_listener_ends_a_handshake(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    client = serving.connect().say(ssl_hello()[:50])
    eventually(lambda: serving.count(listener_counters.RECEIVED_BYTES) == 50)
    serving.commit()
    client.hear_all()
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


def received(serving: Serving) -> list[int]:
    """The bytes that came on each open connection."""
    return [each.received_bytes for each in serving.listeners.connections()]


def close_all(serving: Serving) -> None:
    """Close every connection in order now, as an operator may."""
    for connection in serving.listeners.connections():
        connection.close_in_order()


@pytest.mark.parametrize("part", [0, 50])
def test_client_is_closed_in_order_in_its_handshake(serving: Serving, server: Server, part: int) -> None:
    serving.commit(secured(server))
    client = serving.connect().say(ssl_hello()[:part])
    eventually(lambda: serving.call(received, serving) == [part])
    serving.call(close_all, serving)
    assert client.hear_all() == b""  # FIN, and no RST
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


@pytest.mark.parametrize("part", [b"", b"PROXY "])
def test_client_is_closed_in_order_before_its_header(serving: Serving, server: Server, part: bytes) -> None:
    serving.commit(behind_proxy(server))
    client = serving.connect().say(part)
    eventually(lambda: serving.call(received, serving) == [len(part)])
    serving.call(close_all, serving)
    assert client.hear_all() == b""
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


def test_upstream_that_is_down_resets_the_client_behind_its_handshake(serving: Serving, server: Server) -> None:
    serving.commit(secured(server))
    server.close()
    with pytest.raises((ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)):
        Secured(serving).sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.UPSTREAM_DOWN) == 1


# ── Behind a proxy ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_header_is_read_however_it_is_cut_and_the_rest_is_passed_on(
    serving: Serving, server: Server, size: int
) -> None:
    serving.commit(behind_proxy(server))
    client = serving.connect()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = HEADER + b"question"
    for at in range(0, len(stream), size):
        client.say(stream[at : at + size])
    upstream = server.accept()
    assert upstream.hear(8) == b"question"
    peers = serving.call(lambda: [each.peer for each in serving.listeners.connections()])
    assert peers == [("192.0.2.1", 1111)]
    assert serving.count(listener_counters.AWAITING_HEADER) == 0
    assert serving.count(listener_counters.ACCEPTED) == 1
    client.finish()
    assert upstream.hear_all() == b""
    upstream.say(b"answer").finish()
    assert client.hear_all() == b"answer"


def test_fin_behind_the_header_is_passed_on(serving: Serving, server: Server) -> None:
    serving.commit(behind_proxy(server))
    client = serving.connect().say(HEADER + b"all").finish()
    upstream = server.accept()
    assert upstream.hear_all() == b"all"
    upstream.say(b"late").finish()
    assert client.hear_all() == b"late"


def test_client_without_an_optional_header_is_relayed_with_its_own_address(serving: Serving, server: Server) -> None:
    serving.commit(behind_proxy(server, required=False, timeout=0.1))
    for sent in (b"question", b"PROX", b""):
        client = serving.connect().say(sent)
        if sent == b"PROX":
            client.finish()
        upstream = server.accept()
        assert upstream.hear(len(sent)) == sent
        upstream.say(b"answer").finish()
        assert client.hear_all() == b"answer"
        client.close()


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n", b"PROXY TCP9 x\r\n", b"PROXY TCP4 192."])
def test_client_without_a_whole_header_is_reset(serving: Serving, server: Server, sent: bytes) -> None:
    serving.commit(behind_proxy(server, timeout=0.2))
    client = serving.connect().say(sent)
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.PROXY_HEADER) == 1
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 0
    assert serving.count(listener_counters.AWAITING_HEADER) == 0


def test_own_connection_of_a_proxy_is_relayed_and_not_counted(serving: Serving, server: Server) -> None:
    serving.commit(behind_proxy(server))
    check = serving.connect().say(LOCAL + b"ping")
    upstream = server.accept()
    assert upstream.hear(4) == b"ping"
    upstream.say(b"pong")
    assert check.hear(4) == b"pong"
    counted = [cell for cell in range(listener_counters.BLOCK) if serving.count(cell)]
    assert counted == [listener_counters.RELAYS]


def test_client_over_its_limit_is_reset_and_not_its_proxy(serving: Serving, server: Server) -> None:
    plan = behind_proxy(server)
    serving.commit(replace(plan, limits=Limits(max_connections_per_peer=1)))
    first = serving.connect().say(HEADER + b"a")
    assert server.accept().hear(1) == b"a"
    second = serving.connect().say(HEADER + b"b")
    with pytest.raises(ConnectionResetError):
        second.sock.recv(1)
    other = serving.connect().say(HEADER.replace(b"192.0.2.1 ", b"192.0.2.9 ") + b"c")
    assert server.accept().hear(1) == b"c"
    assert serving.count(listener_counters.ACCEPTED) == 2
    assert serving.count(listener_counters.OPEN) == 2
    first.close()
    other.close()


def test_header_stands_before_the_handshake(serving: Serving, server: Server) -> None:
    serving.commit(replace(secured(server), proxy_protocol=ProxyProtocol()))
    client: Client = serving.connect().say(HEADER)
    client.sock = certificates.client().wrap_socket(client.sock, server_hostname="localhost")
    client.say(b"question")
    assert server.accept().hear(8) == b"question"
    assert serving.count(listener_counters.HANDSHAKES + Handshakes.TLS_1_3) == 1
    assert serving.count(listener_counters.ACCEPTED) == 1
