"""Slow sides and faults at a listener with rules and an upstream: what is held is bounded, and nothing is lost."""

import threading
from time import monotonic
from typing import Any

import pytest

from answerback.core.relay.flow import CHUNK, MAX_HELD
from answerback.core.session.reader import READ_AHEAD
from answerback.net.relay.relaying import READ_BYTES
from answerback.shared import listener_counters
from tests.net.conftest import Serving
from tests.net.relay.rules import PING, matches, ruled
from tests.net.relay.upstreams import Server, connected, held_for
from tests.waiting import eventually


def connection_of(serving: Serving) -> Any:
    (connection,) = next(iter(serving.listeners.named(["it"]))).connections
    return connection


def waits_for(serving: Serving, what: str) -> Any:
    connection = connection_of(serving)
    eventually(lambda: serving.call(lambda: connection.waits_for) == what)
    return connection


def test_slow_client_stops_the_upstream_and_the_rules(serving: Serving, server: Server) -> None:
    """It reads nothing of what the upstream sends, and asks for local answers without end."""
    serving.commit(ruled(serving, server, PING, '{event: TICK, interval: 10ms, do: [send: "."]}'))
    client = serving.connect(receive_buffer=65_536)
    upstream = server.accept()
    data = bytes(8 << 20)
    speaking = threading.Thread(target=lambda: upstream.say(data))
    speaking.start()
    asking = threading.Thread(target=lambda: client.say(b"PING\n" * 40_000).finish())
    asking.start()
    connection = waits_for(serving, "client_reads")
    eventually(lambda: not serving.call(lambda: connection.relay.wants_read(0)))
    most = READ_BYTES + READ_AHEAD
    assert held_for(serving, connection, 0) <= most
    assert serving.call(lambda: len(connection.session.conversation.buffer)) <= READ_AHEAD + READ_BYTES
    assert serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) < 6 << 20
    received: list[bytes] = []
    reading = threading.Thread(target=lambda: received.append(client.hear_all()))
    reading.start()
    speaking.join(30)
    assert upstream.hear_all() == b""
    upstream.finish()
    for each in (asking, reading):
        each.join(30)
    assert received[0].replace(b".", b"").replace(b"\0", b"") == b"PONG\n" * 40_000
    assert received[0].count(b"\0") == len(data)
    assert matches(serving, "ping") == 40_000


def test_slow_upstream_stops_the_client(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING))
    client, upstream = connected(serving, server)
    lines = b"".join(b"GET %07d %s\n" % (number, b"." * 1000) for number in range(16_000))
    asking = threading.Thread(target=lambda: client.say(lines).finish())
    asking.start()
    connection = waits_for(serving, "upstream_reads")
    assert held_for(serving, connection, 1) <= READ_BYTES
    assert serving.count(listener_counters.RECEIVED_BYTES) < 8 << 20
    assert upstream.hear_all() == lines
    asking.join(30)
    upstream.finish()
    assert client.hear_all() == b""
    assert serving.count(listener_counters.REQUESTS) == 16_000


def test_large_local_answer_behind_a_fault_is_held_in_part(serving: Serving, server: Server) -> None:
    big = "{when: big, do: [send: {template: \"${repeat('x', 1000000)}\"}]}"
    fault = "faults: [{latency: 10m}]"
    serving.commit(ruled(serving, server, big, more=fault))
    client, _ = connected(serving, server)
    client.say(b"big\n" * 20)
    connection = connection_of(serving)
    eventually(lambda: serving.call(lambda: connection.relay.held) >= MAX_HELD)
    assert serving.call(lambda: connection.relay.held) <= MAX_HELD + CHUNK
    assert serving.count(listener_counters.REQUESTS) < 20
    serving.commit(ruled(serving, server, big))
    assert client.hear(20_000_000) == b"x" * 20_000_000


def test_latency_delays_local_answers_and_those_of_the_upstream_in_order(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, more="faults: [{name: late, latency: 300ms}]"))
    client, upstream = connected(serving, server)
    began = monotonic()
    upstream.say(b"1\n")
    eventually(lambda: serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) == 2)
    client.say(b"PING\n")
    assert client.hear(7) == b"1\nPONG\n"
    assert monotonic() - began >= 0.3


def test_latency_from_the_peer_delays_requests_before_rules_see_them(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, more="faults: [{direction: FROM_PEER, latency: 300ms}]"))
    client, upstream = connected(serving, server)
    began = monotonic()
    client.say(b"PING\nGET a\n").finish()
    assert client.hear(5) == b"PONG\n"
    assert monotonic() - began >= 0.3
    assert upstream.hear_all() == b"GET a\n"


def test_truncate_cuts_behind_bytes_of_either_origin(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, more="faults: [{target: CONNECTION, truncate: {bytes: 8}}]"))
    client, upstream = connected(serving, server)
    upstream.say(b"one\n")
    assert client.hear(4) == b"one\n"
    client.say(b"PING\n")
    assert client.hear_all() == b"PONG"
    assert upstream.hear_all() == b""


@pytest.mark.parametrize("last", ["close", "reset"])
def test_end_by_a_rule_comes_behind_the_late_answer(serving: Serving, server: Server, last: str) -> None:
    quit_rule = f'{{when: quit, do: [send: "bye\\n", {last}]}}'
    serving.commit(ruled(serving, server, quit_rule, more="faults: [{latency: 200ms}]"))
    client, upstream = connected(serving, server)
    client.say(b"quit\n")
    assert client.hear(4) == b"bye\n"
    if last == "close":
        assert client.hear_all() == upstream.hear_all() == b""
    else:
        for end in (client, upstream):
            with pytest.raises(ConnectionResetError):
                end.sock.recv(1)
    client.close()
    upstream.close()
    assert sum(serving.ended().values()) == 1


def test_changed_fault_releases_what_rules_have_sent(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, more="faults: [{latency: 10m}]"))
    client, _ = connected(serving, server)
    client.say(b"PING\n")
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 1)
    serving.commit(ruled(serving, server, PING))
    assert client.hear(5) == b"PONG\n"
