"""Rules beside an upstream: what is answered here, what is forwarded, and how the connection ends."""

import random
import threading

import pytest

from answerback.core.actions import CloseReason
from answerback.shared import listener_counters
from tests.net.conftest import Serving
from tests.net.relay.rules import PING, matches, ruled
from tests.net.relay.test_limits import leave
from tests.net.relay.test_relaying import exchange
from tests.net.relay.upstreams import Server, connected
from tests.waiting import eventually


def test_rule_answers_in_place_of_the_upstream(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING))
    client, upstream = connected(serving, server)
    client.say(b"PING\r\nGET a\r\n")
    assert client.hear(5) == b"PONG\n"
    assert upstream.hear(7) == b"GET a\r\n"
    upstream.say(b"1\n")
    assert client.hear(2) == b"1\n"
    assert serving.count(listener_counters.REQUESTS) == 2
    assert serving.count(listener_counters.UNMATCHED) == matches(serving, "ping") == 1


def test_upstream_that_speaks_first_is_heard(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING))
    client, upstream = connected(serving, server)
    upstream.say(b"220 ready\r\n")
    assert client.hear(11) == b"220 ready\r\n"


@pytest.mark.parametrize(
    "framing, data",
    [
        ("line", b"a\r\nbb\n\n\r\nc\n"),
        ("{length_prefix: {width: 2, strip: true}}", b"\x00\x01a\x00\x00\x00\x03xyz"),
        ("resp", b"*1\r\n$4\r\nPING\r\nGET a\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"),
        ("http", b"GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
        ("{http: {head_first: true}}", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n"),
        ("read", b"anything"),
        ("{fixed: {size: 3}}", b"abcdefghi"),
    ],
)
def test_requests_are_forwarded_as_they_were_received(
    serving: Serving, server: Server, framing: str, data: bytes
) -> None:
    """Those that no rule matches, and those of a rule that forwards after a time, in their order."""
    later = "{when: {request_number: {min: 2, max: 2}}, do: [delay: 10ms, forward]}"
    serving.commit(ruled(serving, server, later, framing=framing))
    client, upstream = connected(serving, server)
    client.say(data)
    assert upstream.hear(len(data)) == data


def test_local_answers_between_forwarded_requests_leave_them_whole(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, '{when: {prefix: own}, do: [delay: 1ms, send: "own\\n"]}'))
    client, upstream = connected(serving, server)
    chance = random.Random(5)
    lines = [chance.choice((b"PING\r\n", b"own 1\n", b"GET %d\r\n" % number)) for number in range(500)]
    data, at = b"".join(lines), 0
    while at < len(data):
        size = chance.choice((1, 7, 100, 1000))
        client.say(data[at : at + size])
        at += size
    forwarded = b"".join(line for line in lines if line.startswith(b"GET"))
    assert upstream.hear(len(forwarded)) == forwarded
    local = b"".join(b"PONG\n" if line[:1] == b"P" else b"own\n" for line in lines if line[:1] != b"G")
    assert client.hear(len(local)) == local
    assert serving.count(listener_counters.REQUESTS) == 500


def test_large_random_data_passes_both_ways_at_once(serving: Serving, server: Server) -> None:
    """Requests of any length; what is no request yet at the end is passed on with FIN."""
    serving.commit(ruled(serving, server, PING, more="limits: {max_request_bytes: 10000000}"))
    client, upstream = connected(serving, server)
    data = random.Random(6).randbytes(4 << 20) + b"\n"
    whole = threading.Thread(target=lambda: client.say(data).finish())
    whole.start()
    back = random.Random(7).randbytes(4 << 20)
    answering = threading.Thread(target=lambda: upstream.say(back))
    answering.start()
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.append(client.hear(len(back))))
    reading.start()
    assert upstream.hear(len(data)) == data
    for each in (whole, answering, reading):
        each.join(30)
    assert got == [back]
    assert upstream.hear_all() == b""


def test_fin_of_the_client_leaves_its_half_open_for_replies(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, '{event: EOF, do: [send: "bye\\n"]}'))
    client, upstream = connected(serving, server)
    client.say(b"GET a\n").finish()
    assert client.hear(4) == b"bye\n"
    assert upstream.hear_all() == b"GET a\n"
    upstream.say(b"1\n").finish()
    assert client.hear_all() == b"1\n"
    assert serving.ended() == {CloseReason.PEER_EOF: 1}


def test_fin_of_the_upstream_is_passed_on_behind_the_script_in_progress(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, '{when: slow, do: [delay: 300ms, send: "slow\\n"]}'))
    client, upstream = connected(serving, server)
    client.say(b"slow\n")
    upstream.say(b"1\n")
    assert client.hear(2) == b"1\n"
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 1)
    upstream.finish()
    assert client.hear_all() == b"slow\n"
    client.say(b"slow\nla").say(b"te").finish()
    assert upstream.hear_all() == b"slow\nlate"
    assert serving.ended() == {CloseReason.UPSTREAM_EOF: 1}


def test_incomplete_request_is_passed_on_behind_the_fin_of_the_upstream(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING))
    client, upstream = connected(serving, server)
    client.say(b"PING\npart")
    assert client.hear(5) == b"PONG\n"
    upstream.finish()
    assert client.hear_all() == b""
    client.say(b"ial").finish()
    assert upstream.hear_all() == b"partial"


def test_reset_by_the_client_resets_the_upstream(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING))
    client, upstream = connected(serving, server)
    client.say(b"a\n")
    assert upstream.hear(2) == b"a\n"
    client.reset()
    with pytest.raises(ConnectionResetError):
        upstream.sock.recv(1)
    assert serving.ended() == {CloseReason.PEER_RESET: 1}


def test_reset_by_the_upstream_resets_the_client(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING))
    client, upstream = connected(serving, server)
    upstream.say(b"a")
    assert client.hear(1) == b"a"
    upstream.reset()
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    assert serving.ended() == {CloseReason.UPSTREAM_RESET: 1}


def test_rule_that_closes_closes_both_sides_in_order(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, '{when: quit, do: [send: "bye\\n", close]}'))
    client, upstream = connected(serving, server)
    client.say(b"GET a\nquit\nGET b\n")
    assert client.hear_all() == b"bye\n"
    assert upstream.hear_all() == b"GET a\n"
    client.close()
    upstream.close()
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 1}


def test_rule_that_resets_resets_both_sides_behind_its_bytes(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, '{when: quit, do: [send: "bye\\n", reset]}'))
    client, upstream = connected(serving, server)
    client.say(b"quit\n")
    assert client.hear(4) == b"bye\n"
    for end in (client, upstream):
        with pytest.raises(ConnectionResetError):
            end.sock.recv(1)
    assert serving.ended() == {CloseReason.SERVER_RESET: 1}


def test_rules_on_other_events_act_beside_the_upstream(serving: Serving, server: Server) -> None:
    greeting = '{event: CONNECT, do: [send: "hi\\n"]}'
    beat = '{event: TICK, interval: 100ms, times: 2, do: [send: "beat\\n"]}'
    serving.commit(ruled(serving, server, greeting, beat))
    client, upstream = connected(serving, server)
    assert client.hear(3) == b"hi\n"
    upstream.say(b"up\n")
    client.say(b"down\n")
    heard = client.hear(13)
    assert heard.replace(b"up\n", b"") == b"beat\nbeat\n"
    assert upstream.hear(5) == b"down\n"


def test_silence_of_both_sides_is_what_rules_on_idle_answer(serving: Serving, server: Server) -> None:
    silent = '{event: IDLE, do: [send: "idle\\n", close]}'
    serving.commit(ruled(serving, server, silent, more="limits: {idle_timeout: 300ms}"))
    client, upstream = connected(serving, server)
    assert client.hear_all() == b"idle\n"
    leave(upstream)
    client.close()
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 1}


def test_script_that_waits_for_a_signal_is_woken(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, "{when: go, do: [wait: {signal: now, timeout: 30s}, forward]}"))
    client, upstream = connected(serving, server)
    client.say(b"go\n")
    listener = next(iter(serving.listeners.named(["it"])))
    connection = next(iter(listener.connections))
    eventually(lambda: serving.call(lambda: connection.waits_for) == "signal")
    serving.call(listener.signals.granted, [1])
    assert upstream.hear(3) == b"go\n"


def test_drain_answers_what_is_in_progress_and_closes_both_sides(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, '{event: DRAIN, do: [send: "leaving\\n"]}'))
    client, upstream = connected(serving, server)
    client.say(b"GET a\n")
    assert upstream.hear(6) == b"GET a\n"
    serving.call(next(iter(serving.listeners.named(["it"]))).drain)
    upstream.say(b"1\n")
    assert client.hear(2) == b"1\n"
    assert client.hear_all() == b"leaving\n"
    assert upstream.hear_all() == b""
    client.close()
    upstream.close()
    assert serving.ended() == {CloseReason.DRAIN: 1}


def test_changed_rules_hold_for_the_next_request_of_an_open_connection(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING))
    client, upstream = connected(serving, server)
    client.say(b"GET a\n")
    assert upstream.hear(6) == b"GET a\n"
    serving.commit(ruled(serving, server, '{when: GET a, do: [send: "mine\\n"]}'))
    client.say(b"GET a\nPING\n")
    assert client.hear(5) == b"mine\n"
    assert upstream.hear(5) == b"PING\n"


def test_connection_keeps_its_rules_where_the_upstream_is_taken_away(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING))
    client, upstream = connected(serving, server)
    client.say(b"PING\n")
    assert client.hear(5) == b"PONG\n"
    plan = ruled(serving, server, '{when: PING, do: [send: "new\\n"]}')
    from dataclasses import replace

    serving.commit(replace(plan, upstream=None))
    client.say(b"PING\nGET a\n")
    assert client.hear(5) == b"PONG\n"
    assert upstream.hear(6) == b"GET a\n"
    other = serving.connect()
    other.say(b"PING\n")
    assert other.hear(4) == b"new\n"


def test_exchange_of_a_listener_whose_rules_only_greet(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, '{event: CONNECT, do: [send: ""]}', framing=""))
    client, upstream = connected(serving, server)
    exchange(client, upstream, 1 << 20, 8)
    assert serving.ended() in ({CloseReason.PEER_EOF: 1}, {CloseReason.UPSTREAM_EOF: 1})
