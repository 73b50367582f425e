"""Clients that speak TLS, or come by way of a proxy, at a listener with rules and an upstream."""

import asyncio
import socket
import ssl
from dataclasses import replace
from typing import Any

import pytest

from answerback.core.actions import CloseReason
from answerback.core.plan import ListenerPlan
from answerback.core.proxy_header import ProxyProtocol
from answerback.shared import listener_counters
from tests.net.conftest import Serving
from tests.net.relay.rules import PING, matches, ruled
from tests.net.relay.test_secure_clients import HEADER, LOCAL, half_close
from tests.net.relay.upstreams import Server
from tests.net.test_tls import Secured, ssl_hello
from tests.ports import free_port
from tests.tls import certificates
from tests.waiting import eventually

DOWN = '{event: UPSTREAM_DOWN, do: [send: "down\\n", close]}'
NAMED = '{name: named, when: {all: [{prefix: WHO}, {peer: 192.0.2.0/24}]}, do: [send: {template: "${peer.host}\\n"}]}'


def secured(plan: ListenerPlan, handshake_timeout: float = 10.0) -> ListenerPlan:
    return replace(plan, tls=certificates.server(handshake_timeout=handshake_timeout))


def behind_proxy(plan: ListenerPlan, **settings: Any) -> ListenerPlan:
    return replace(plan, proxy_protocol=ProxyProtocol(**settings))


def test_rules_and_upstream_see_what_is_inside_tls(serving: Serving, server: Server) -> None:
    serving.commit(secured(ruled(serving, server, PING)))
    client = Secured(serving)
    upstream = server.accept()
    client.sock.sendall(b"PING\nGET a\n")
    assert client.client.hear(5) == b"PONG\n"
    assert upstream.hear(6) == b"GET a\n"
    half_close(client)
    assert upstream.hear_all() == b""
    upstream.say(b"1\n").finish()
    assert client.client.hear(2) == b"1\n"
    with pytest.raises(ssl.SSLZeroReturnError):
        client.sock.recv(1)
    client.client.close()
    assert serving.ended() == {CloseReason.PEER_EOF: 1}
    assert matches(serving, "ping") == 1
    assert serving.count(listener_counters.RECEIVED_BYTES) > 11, "records, and a handshake"


def test_requests_sent_with_the_end_of_the_handshake_are_not_lost(serving: Serving, server: Server) -> None:
    """They arrive before there is a conversation."""
    serving.commit(secured(ruled(serving, server, PING)))
    client = Secured(serving)
    client.sock.sendall(b"PING\n" * 1000 + b"GET a\n")
    upstream = server.accept()
    assert upstream.hear(6) == b"GET a\n"
    assert client.client.hear(5000) == b"PONG\n" * 1000


@pytest.mark.parametrize("more", ["", ", connect: ON_FORWARD"])
@pytest.mark.parametrize("size", [1, 1000])
def test_client_is_whom_the_header_names(serving: Serving, server: Server, more: str, size: int) -> None:
    serving.commit(behind_proxy(ruled(serving, server, NAMED, more=more)))
    client = serving.connect()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = HEADER + b"WHO\nGET a\n"
    for at in range(0, len(stream), size):
        client.say(stream[at : at + size])
    client.finish()
    upstream = server.accept()
    assert upstream.hear_all() == b"GET a\n"
    upstream.say(b"1\n").finish()
    assert sorted(client.hear_all().splitlines()) == [b"1", b"192.0.2.1"]
    assert serving.ended() == {CloseReason.PEER_EOF: 1}
    assert serving.count(listener_counters.AWAITING_HEADER) == 0


def test_own_connection_of_a_proxy_has_rules_and_upstream_and_is_not_counted(serving: Serving, server: Server) -> None:
    numbered = '{name: number, when: NUMBER, do: [send: {template: "${connection.number}\\n"}]}'
    serving.commit(behind_proxy(ruled(serving, server, PING, numbered)))
    check = serving.connect().say(LOCAL + b"PING\nNUMBER\nGET a\n")
    assert server.accept().hear(6) == b"GET a\n"
    assert check.hear(7) == b"PONG\n0\n"
    counted = [cell for cell in range(listener_counters.BLOCK) if serving.count(cell)]
    assert counted == [listener_counters.RELAYS]
    assert (matches(serving, "ping"), matches(serving, "number")) == (0, 0)
    client = serving.connect().say(HEADER + b"NUMBER\n")
    assert client.hear(2) == b"1\n", "the first one that counts"


def test_header_stands_before_the_handshake(serving: Serving, server: Server) -> None:
    serving.commit(behind_proxy(secured(ruled(serving, server, NAMED, more=", connect: ON_FORWARD"))))
    client = serving.connect().say(HEADER)
    client.sock = certificates.client().wrap_socket(client.sock, server_hostname="localhost")
    client.say(b"WHO\n")
    assert client.hear(10) == b"192.0.2.1\n"
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 0
    client.say(b"GET a\n")
    assert server.accept().hear(6) == b"GET a\n"


def test_rule_on_upstream_down_answers_inside_tls(serving: Serving) -> None:
    serving.commit(secured(ruled(serving, f"127.0.0.1:{free_port()}", DOWN, framing="")))
    client = Secured(serving)
    assert client.hear_all() == b"down\n"
    client.client.close()
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 1}


def test_client_whose_handshake_fails_never_reaches_the_upstream(serving: Serving, server: Server) -> None:
    serving.commit(secured(ruled(serving, server, PING), handshake_timeout=0.3))
    plain, late = serving.connect().say(b"PING\n"), serving.connect().say(ssl_hello()[:50])
    for client in (plain, late):
        client.hear_all()
        client.close()
    serving.connect().close()
    assert serving.ended() == {CloseReason.NOT_TLS: 1, CloseReason.TLS_HANDSHAKE: 1, CloseReason.PEER_EOF: 1}
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 0


def test_client_without_a_header_is_reset(serving: Serving, server: Server) -> None:
    serving.commit(behind_proxy(ruled(serving, server, PING)))
    with pytest.raises(ConnectionResetError):
        serving.connect().say(b"PING\n").sock.recv(1)
    assert serving.ended() == {CloseReason.PROXY_HEADER: 1}


def test_client_that_is_not_known_yet_has_made_no_request(serving: Serving, server: Server) -> None:
    serving.commit(behind_proxy(ruled(serving, server, PING)))
    client = serving.connect().say(b"PROXY")
    eventually(lambda: serving.count(listener_counters.AWAITING_HEADER) == 1)
    listed = serving.call(lambda: [(each.waits_for, each.requests) for each in serving.listeners.connections()])
    assert listed == [("proxy_header", 0)]
    client.reset()


def test_client_that_is_reset_before_its_header_leaves_no_task(serving: Serving, server: Server) -> None:
    def tasks() -> int:
        return serving.call(lambda: len(asyncio.all_tasks()))

    idle = tasks()
    serving.commit(behind_proxy(ruled(serving, server, PING)))
    client = serving.connect().say(b"PROXY")
    eventually(lambda: serving.count(listener_counters.AWAITING_HEADER) == 1)
    assert tasks() > idle
    serving.call(serving.listeners.abort)
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    eventually(lambda: tasks() == idle)


def test_removal_of_the_listener_ends_a_handshake(serving: Serving, server: Server) -> None:
    serving.commit(secured(ruled(serving, server, PING)))
    client = serving.connect().say(ssl_hello()[:50])
    eventually(lambda: serving.count(listener_counters.RECEIVED_BYTES) == 50)
    serving.commit()
    client.hear_all()
    client.close()
    assert serving.ended() == {CloseReason.DRAIN: 1}


def test_reset_of_the_upstream_reaches_the_client_without_close_notify(serving: Serving, server: Server) -> None:
    serving.commit(secured(ruled(serving, server, PING)))
    client = Secured(serving)
    upstream = server.accept()
    client.sock.sendall(b"GET a\n")
    assert upstream.hear(6) == b"GET a\n"
    upstream.reset()
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        client.sock.recv(1)
    assert serving.ended() == {CloseReason.UPSTREAM_RESET: 1}
