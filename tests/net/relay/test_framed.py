"""Framed replies of an upstream: order, rules on REPLY, and how the connection ends."""

import random
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from time import monotonic

import pytest

from answerback.core.actions import CloseReason
from answerback.core.session.owed import MAX_OWED
from answerback.core.session.reader import READ_AHEAD
from answerback.net.relay.relaying import READ_BYTES
from answerback.shared import listener_counters
from answerback.shared.journal.layout import State
from answerback.shared.journal.records import Record
from answerback.shared.journal.ring_reader import RingReader
from tests.net.conftest import Client, Serving
from tests.net.relay.rules import PING, framed, matches, ruled
from tests.net.relay.test_ruled_bounds import connection_of, waits_for
from tests.net.relay.test_secure_upstreams import Secure, client_tls
from tests.net.relay.upstreams import Accepted, Server, connected
from tests.waiting import eventually

BAD = '{name: bad, event: REPLY, when: {prefix: bad}, do: [send: {template: "no ${request}: ${reply}\\n"}]}'
GONE = "{event: REPLY, when: gone, do: [discard]}"
LATE = "{event: REPLY, when: late, do: [delay: 200ms, forward]}"
PUSH = "{event: REPLY, when: {prefix: '>'}, extra: true, do: [forward]}"


def test_local_answers_and_replies_keep_the_order_of_requests(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING, BAD, GONE, PUSH))
    client, upstream = connected(serving, server)
    client.say(b"PING\r\nGET a\r\nPING\r\nGET b\nGET c\nPING\n")
    assert client.hear(5) == b"PONG\n"
    assert upstream.hear(7) == b"GET a\r\n"
    upstream.say(b"> news\nbad 1\n")
    expected = b"> news\nno GET a: bad 1\nPONG\n"
    assert client.hear(len(expected)) == expected
    assert upstream.hear(12) == b"GET b\nGET c\n"
    upstream.say(b"gone\r\nok\r\n")
    assert client.hear(9) == b"ok\r\nPONG\n"
    assert serving.count(listener_counters.REQUESTS) == 6
    assert matches(serving, "ping") == 3
    assert matches(serving, "bad") == 1


def test_delayed_reply_delays_what_is_behind_it(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING, LATE))
    client, upstream = connected(serving, server)
    began = monotonic()
    client.say(b"GET a\nGET b\nPING\n")
    assert upstream.hear(12) == b"GET a\nGET b\n"
    upstream.say(b"late\n1\n")
    assert client.hear(12) == b"late\n1\nPONG\n"
    assert monotonic() - began >= 0.2


def test_many_pipelined_requests_of_both_kinds(serving: Serving, server: Server) -> None:
    """An upstream that answers what it is asked, while the client sends all it has in pieces of any size."""
    serving.commit(framed(serving, server, PING, BAD))
    client, upstream = connected(serving, server)
    for end in (client, upstream):
        end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    chance = random.Random(3)
    lines = [chance.choice((b"PING\n", b"GET %d\r\n" % number)) for number in range(3000)]

    def answer() -> None:
        for line in lines:
            if line[:1] == b"G":
                assert upstream.hear(len(line)) == line
                upstream.say(line[4:])

    def ask() -> None:
        data, at = b"".join(lines), 0
        while at < len(data):
            size = chance.choice((1, 7, 100, 5000))
            client.say(data[at : at + size])
            at += size

    threads = [threading.Thread(target=each) for each in (answer, ask)]
    for each in threads:
        each.start()
    expected = b"".join(b"PONG\n" if line[:1] == b"P" else line[4:] for line in lines)
    assert client.hear(len(expected)) == expected
    for each in threads:
        each.join(30)


def test_redis_replies_are_framed(serving: Serving, server: Server) -> None:
    rule = '{event: REPLY, when: {equals: "$-1\\r\\n"}, do: [send: "$4\\r\\nnone\\r\\n"]}'
    serving.commit(ruled(serving, server, rule, framing="resp", more=", framing: resp"))
    client, upstream = connected(serving, server)
    client.say(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n")
    assert upstream.hear(26) == b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n"
    upstream.say(b"$-1\r").say(b"\n+PONG\r\n")
    assert client.hear(17) == b"$4\r\nnone\r\n+PONG\r\n"


def test_http_responses_are_framed(serving: Serving, server: Server) -> None:
    """To HEAD, an interim one, in chunks, and one that ends with the connection."""
    own = '{when: {prefix: "GET /own "}, do: [respond: {status: 200, body: own}]}'
    replaced = '{event: REPLY, when: {prefix: "HTTP/1.1 404 "}, do: [send: "HTTP/1.1 204 No Content\\r\\n\\r\\n"]}'
    serving.commit(ruled(serving, server, own, replaced, framing="http", more=", framing: http"))
    client, upstream = connected(serving, server)
    asked = [b"%b HTTP/1.1\r\nHost: a\r\n\r\n" % line for line in (b"HEAD /", b"GET /own", b"GET /gone", b"GET /last")]
    client.say(b"".join(asked))
    assert upstream.hear(len(asked[0])) == asked[0]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    upstream.say(b"HTTP/1.1 103 Early Hints\r\n\r\n" + head)
    rest = asked[2] + asked[3]
    assert upstream.hear(len(rest)) == rest
    upstream.say(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
    upstream.say(b"HTTP/1.1 200 OK\r\n\r\nto the end").finish()
    assert client.hear_all() == (
        b"HTTP/1.1 103 Early Hints\r\n\r\n"
        + head
        + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown"
        + b"HTTP/1.1 204 No Content\r\n\r\n"
        + b"HTTP/1.1 200 OK\r\n\r\nto the end"
    )


def test_fin_of_the_client_leaves_its_half_open_for_what_is_owed(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING, '{event: EOF, do: [send: "bye\\n"]}'))
    client, upstream = connected(serving, server)
    client.say(b"GET a\nPING\nGET b\n").finish()
    assert upstream.hear(6) == b"GET a\n"
    upstream.say(b"1\n")
    assert upstream.hear_all() == b"GET b\n"
    upstream.say(b"2\n")
    assert client.hear(13) == b"1\nPONG\n2\nbye\n"
    upstream.say(b"more").finish()
    assert client.hear_all() == b"more", "the rest is a stream"
    assert serving.ended() == {CloseReason.PEER_EOF: 1}


def test_fin_of_the_upstream_reaches_the_client_behind_its_replies(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING, LATE))
    client, upstream = connected(serving, server)
    client.say(b"GET a\nPING\n")
    assert upstream.hear(6) == b"GET a\n"
    upstream.say(b"late\n").finish()
    assert client.hear_all() == b"late\nPONG\n"
    client.finish()
    assert upstream.hear_all() == b""
    assert serving.ended() == {CloseReason.UPSTREAM_EOF: 1}


@pytest.mark.parametrize(
    "framing, data, reason",
    [
        ("resp", b"+OK\r\nrubbish", CloseReason.UPSTREAM_MALFORMED),
        ("line", b"+OK\r\n" + b"x" * 2001, CloseReason.UPSTREAM_TOO_LARGE),
        ("line", b"+OK\r\nhalf", CloseReason.UPSTREAM_MALFORMED),
    ],
)
def test_reply_that_cannot_be_framed_closes_both_sides(
    serving: Serving, server: Server, framing: str, data: bytes, reason: CloseReason
) -> None:
    serving.commit(framed(serving, server, PING, framing=framing, more=", max_reply_bytes: 2000"))
    client, upstream = connected(serving, server)
    client.say(b"GET a\nGET b\nPING\n")
    assert upstream.hear(12) == b"GET a\nGET b\n"
    upstream.say(data)
    if data.endswith(b"half"):
        upstream.finish()
    assert client.hear_all() == b"+OK\r\n"
    assert upstream.hear_all() == b""
    client.close()
    upstream.close()
    assert serving.ended() == {reason: 1}


def test_reset_of_the_upstream_while_replies_are_owed_resets_the_client(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING))
    client, upstream = connected(serving, server)
    client.say(b"GET a\nPING\n")
    assert upstream.hear(6) == b"GET a\n"
    upstream.reset()
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    assert serving.ended() == {CloseReason.UPSTREAM_RESET: 1}


def test_upstream_that_replies_nothing_stops_the_client(serving: Serving, server: Server) -> None:
    """What is forwarded, and what waits, is bounded."""
    serving.commit(framed(serving, server, PING))
    client, upstream = connected(serving, server)
    lines = b"GET a\n" * 2_000_000

    def ask() -> None:
        with suppress(OSError):  # it is closed meanwhile
            client.say(lines)

    asking = threading.Thread(target=ask)
    asking.start()
    connection = waits_for(serving, "reply")
    eventually(lambda: not serving.call(lambda: connection.relay.wants_read(0)))
    assert upstream.hear(6 * MAX_OWED) == b"GET a\n" * MAX_OWED
    assert serving.call(lambda: len(connection.session.conversation.buffer)) <= READ_AHEAD + READ_BYTES
    assert serving.count(listener_counters.UPSTREAM_SENT_BYTES) == 6 * MAX_OWED
    upstream.reset()
    asking.join(30)


def test_slow_client_stops_the_upstream(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING))
    client = serving.connect(receive_buffer=65_536)
    upstream = server.accept()
    data = (b"x" * 999 + b"\n") * 16_000
    speaking = threading.Thread(target=lambda: upstream.say(data))
    speaking.start()
    connection = waits_for(serving, "client_reads")
    held = serving.call(lambda: (len(connection.relay.replies.reader.buffer), connection.sides[0].unsent))
    assert sum(held) <= 2 * READ_BYTES + 1000
    assert serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) < 8 << 20
    assert client.hear(len(data)) == data
    speaking.join(30)


def test_both_sides_that_send_before_they_read_go_on(serving: Serving, server: Server) -> None:
    """Requests and replies are larger than what the kernel holds: neither side waits for the other forever."""
    serving.commit(framed(serving, server, PING, BAD))
    client, upstream = connected(serving, server)
    line = b"x" * 9_999 + b"\n"
    asking = threading.Thread(target=lambda: client.say(line * 2000))
    asking.start()

    def answer() -> None:
        for _ in range(2000):
            upstream.hear(len(line))
            upstream.say(line)

    answering = threading.Thread(target=answer)
    answering.start()
    assert client.hear(len(line) * 2000) == line * 2000
    for each in (asking, answering):
        each.join(30)


def test_flood_of_the_shortest_replies_lets_others_have_their_turns(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING, BAD))
    flooded, flooding = connected(serving, server)
    client, upstream = connected(serving, server)
    data = b"\n" * (64 << 10)
    reading = threading.Thread(target=lambda: flooded.hear(len(data)))
    reading.start()
    speaking = threading.Thread(target=lambda: flooding.say(data))
    speaking.start()
    longest = 0.0
    while reading.is_alive():
        began = monotonic()
        client.say(b"GET a\nPING\n")
        assert upstream.hear(6) == b"GET a\n"
        upstream.say(b"1\n")
        assert client.hear(7) == b"1\nPONG\n"
        longest = max(longest, monotonic() - began)
    for each in (reading, speaking):
        each.join(30)
    assert longest < 1.0


def test_drain_waits_for_what_is_owed_and_no_longer(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING, '{event: DRAIN, do: [send: "leaving\\n"]}'))
    client, upstream = connected(serving, server)
    idle, _ = connected(serving, server)
    client.say(b"GET a\n")
    assert upstream.hear(6) == b"GET a\n"
    serving.call(next(iter(serving.listeners.named(["it"]))).drain)
    assert idle.hear_all() == b"leaving\n"
    upstream.say(b"1\n")
    assert client.hear_all() == b"1\nleaving\n"
    assert upstream.hear_all() == b""


def test_changed_rules_hold_for_the_next_reply_of_an_open_connection(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING))
    client, upstream = connected(serving, server)

    def ask() -> bytes:
        client.say(b"GET a\n")
        assert upstream.hear(6) == b"GET a\n"
        upstream.say(b"bad\n")
        return line_of(client)

    assert ask() == b"bad\n"
    serving.commit(framed(serving, server, PING, BAD))
    assert ask() == b"no GET a: bad\n"
    serving.commit(ruled(serving, server, PING))
    assert ask() == b"no GET a: bad\n", "a connection keeps its framing"


def line_of(end: Client | Accepted) -> bytes:
    heard = b""
    while not heard.endswith(b"\n"):
        heard += end.hear(1)
    return heard


def test_local_answer_goes_on_where_no_connection_could_be_made(serving: Serving) -> None:
    down = '{event: UPSTREAM_DOWN, do: [send: "down\\n"]}'
    plan = framed(serving, "127.0.0.1:1", PING, down, more=", connect: ON_FORWARD")
    serving.commit(plan)
    client = serving.connect()
    client.say(b"GET a\nPING\n")
    assert client.hear(10) == b"down\nPONG\n"
    assert connection_of(serving).waits_for == "request"


def recorded(serving: Serving) -> list[Record]:
    region = serving.listeners.journal
    return serving.call(lambda: [each for chunk in RingReader(region.buffer, 0).read() for each in chunk])


def test_journal_has_each_forwarded_request_with_its_reply_and_the_upstreams_time(
    serving: Serving, server: Server
) -> None:
    serving.commit(framed(serving, server, PING, BAD))
    client, upstream = connected(serving, server)
    client.say(b"GET a\nPING\n")
    assert upstream.hear(6) == b"GET a\n"
    eventually(lambda: len(recorded(serving)) == 2)
    assert [(each.request, each.state) for each in recorded(serving)] == [
        (b"GET a", State.IN_PROGRESS),
        (b"PING", State.IN_PROGRESS),
    ]
    began = monotonic()
    eventually(lambda: monotonic() - began > 0.05)
    upstream.say(b"bad\n")
    assert client.hear(19) == b"no GET a: bad\nPONG\n"
    eventually(lambda: all(each.state == State.DONE for each in recorded(serving)))
    forwarded, local = recorded(serving)
    assert (forwarded.reply, local.reply) == (b"no GET a: bad\n", b"PONG\n")
    assert forwarded.upstream > 0.05
    assert forwarded.finished - forwarded.time >= forwarded.upstream - 0.001, "it is kept in 32 bits"
    assert local.upstream == 0.0


def test_delayed_reply_is_recorded_as_sent_before_the_connection_ends(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING, LATE))
    client, upstream = connected(serving, server)
    client.say(b"GET a\n").finish()
    assert upstream.hear_all() == b"GET a\n"
    upstream.say(b"late\n")
    upstream.close()
    assert client.hear_all() == b"late\n"
    eventually(lambda: [each.state for each in recorded(serving)] == [State.DONE])


def test_journal_says_that_a_request_was_forwarded_whose_reply_is_not_framed(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, "{when: GET b, do: [delay: 1ms, forward]}"))
    client, upstream = connected(serving, server)
    client.say(b"PING\nGET a\nGET b\n")
    assert upstream.hear(12) == b"GET a\nGET b\n"
    eventually(lambda: [each.state for each in recorded(serving)] == [State.DONE] * 3)
    assert [each.upstream for each in recorded(serving)] == [0.0, -1.0, -1.0]


def test_requests_that_the_upstream_leaves_unanswered_are_abandoned(serving: Serving, server: Server) -> None:
    serving.commit(framed(serving, server, PING))
    client, upstream = connected(serving, server)
    client.say(b"GET a\n")
    assert upstream.hear(6) == b"GET a\n"
    upstream.finish()
    assert client.hear_all() == b""
    eventually(lambda: [each.state for each in recorded(serving)] == [State.ABANDONED])


def test_replies_of_an_upstream_that_speaks_tls_are_framed(serving: Serving, server: Server) -> None:
    """Many in one record, and a delayed one among them: what was decrypted already is not forgotten."""
    plan = framed(serving, server, PING, LATE)
    assert plan.upstream is not None
    serving.commit(replace(plan, upstream=replace(plan.upstream, tls=client_tls())))
    secure = Secure(server)
    client = serving.connect().say(b"GET\n" * 40 + b"PING\n")
    upstream = secure.accept()
    assert upstream.hear(160) == b"GET\n" * 40
    upstream.say(b"1\n" * 20 + b"late\n" + b"2\n" * 19)
    expected = b"1\n" * 20 + b"late\n" + b"2\n" * 19 + b"PONG\n"
    assert client.hear(len(expected)) == expected


def test_replies_between_unix_sockets_are_framed(unix_serving: Serving, unix_server: Server) -> None:
    unix_serving.commit(framed(unix_serving, unix_server, PING, BAD))
    client, upstream = connected(unix_serving, unix_server)
    client.say(b"GET a\nPING\n")
    assert upstream.hear(6) == b"GET a\n"
    upstream.say(b"bad\n").finish()
    assert client.hear_all() == b"no GET a: bad\nPONG\n"
