"""Faults on what a relay passes on, as both ends see them."""

import random
import socket
import threading
from dataclasses import replace
from time import monotonic

import pytest

from answerback.core.actions import CloseReason
from answerback.core.delays import Fixed
from answerback.core.faults import Bandwidth, Blackhole, Fault, Hang, Latency, Reset, Slice, SlowClose, Truncate
from answerback.core.plan import ListenerPlan
from answerback.shared import listener_counters
from tests.net.conftest import Serving
from tests.net.relay.test_relaying import exchange, speak
from tests.net.relay.test_ruled_bounds import connection_of
from tests.net.relay.upstreams import Server, connected, relaying
from tests.waiting import eventually

CELL = 5000  # a cell that no listener's block reaches


def faulty(server: Server, *to_peer: Fault, from_peer: tuple[Fault, ...] = (), **limits: float) -> ListenerPlan:
    return replace(relaying(server.upstream, **limits), relay_faults=(from_peer, to_peer))


def late(seconds: float) -> Fault:
    return Fault("late", CELL, Latency(Fixed(seconds)))


def test_latency_delays_one_direction(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, late(0.3)))
    client, upstream = connected(serving, server)
    client.say(b"question")
    assert upstream.hear(8) == b"question"
    began = monotonic()
    upstream.say(b"answer")
    assert client.hear(6) == b"answer"
    assert monotonic() - began >= 0.3
    assert int(serving.memory.region(0)[CELL]) >= 1


def test_fin_comes_behind_the_late_bytes(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, from_peer=(late(0.3),)))
    client, upstream = connected(serving, server)
    began = monotonic()
    client.say(b"all").finish()
    assert upstream.hear_all() == b"all"
    assert monotonic() - began >= 0.3
    upstream.say(b"late").finish()
    assert client.hear_all() == b"late"


def test_large_random_data_passes_through_faults_both_ways(serving: Serving, server: Server) -> None:
    both = (
        late(0.01),
        Fault("slices", CELL, Slice(50_000, 20_000, 0.0001)),
        Fault("line", CELL, Bandwidth(40_000_000)),
    )
    serving.commit(faulty(server, *both, from_peer=both))
    client, upstream = connected(serving, server)
    exchange(client, upstream, 3 << 20, 9)
    serving.settle()


def test_what_is_due_after_a_slow_client_has_taken_everything_comes_in_time(serving: Serving, server: Server) -> None:
    """No time is set for it while the client takes nothing: it would wait for the check of what the client takes."""
    serving.commit(faulty(server, Fault("slices", CELL, Slice(1 << 15, 0, 1.0)), write_timeout=60))
    client = serving.connect(receive_buffer=4096)
    upstream = server.accept()
    connection = connection_of(serving)
    serving.call(lambda: connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096))
    data = random.Random(5).randbytes(1 << 16)  # one read, and two slices
    upstream.say(data)
    eventually(lambda: serving.call(lambda: connection.waits_for) == "client_reads")
    assert client.hear(len(data)) == data


def test_bandwidth_limits_the_rate(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, Fault("line", CELL, Bandwidth(200_000))))
    client, upstream = connected(serving, server)
    began = monotonic()
    upstream.say(bytes(100_000)).finish()
    assert client.hear_all() == bytes(100_000)
    assert monotonic() - began >= 0.5


def test_slow_line_with_a_fast_upstream_holds_at_most_its_bound(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, late(1.5)))
    client, upstream = connected(serving, server)
    data = random.Random(3).randbytes(16 << 20)
    speaker = threading.Thread(target=speak, args=(upstream, data, random.Random(4)))
    speaker.start()
    eventually(lambda: serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) >= 4 << 20)
    assert serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) <= (4 << 20) + (256 << 10)
    assert client.hear(len(data)) == data
    speaker.join(30)


def test_truncate_by_reset_gives_the_first_bytes_and_resets_both(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, Fault("cut", CELL, Truncate(5, by_reset=True), per_connection=True)))
    client, upstream = connected(serving, server)
    upstream.say(b"abc")
    assert client.hear(3) == b"abc"
    upstream.say(b"defghi")
    with pytest.raises(ConnectionResetError):
        client.hear_all()
    with pytest.raises(ConnectionResetError):
        upstream.sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.SERVER_RESET) == 1
    assert serving.count(listener_counters.SENT_BYTES) == 5


def test_truncate_in_order_gives_the_first_bytes_and_eof(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, from_peer=(Fault("cut", CELL, Truncate(5, by_reset=False), per_connection=True),)))
    client, upstream = connected(serving, server)
    client.say(b"abcdefghi")
    assert upstream.hear_all() == b"abcde"
    assert client.hear_all() == b""
    client.close()
    upstream.close()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_CLOSE) == 1


def test_reset_comes_after_its_time(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, from_peer=(Fault("reset", CELL, Reset(0.3)),)))
    client, upstream = connected(serving, server)
    began = monotonic()
    client.say(b"a")
    assert upstream.hear(1) == b"a"
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    assert monotonic() - began >= 0.3


def test_fault_changes_on_open_connections(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, late(60.0)))
    client, upstream = connected(serving, server)
    upstream.say(b"held")
    eventually(lambda: serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) == 4)
    serving.commit(faulty(server))
    assert client.hear(4) == b"held"
    serving.commit(faulty(server, from_peer=(late(0.3),)))
    began = monotonic()
    client.say(b"x")
    assert upstream.hear(1) == b"x"
    assert monotonic() - began >= 0.3


def test_idle_timeout_does_not_end_what_a_fault_holds(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, late(1.0), idle_timeout=0.3))
    client, upstream = connected(serving, server)
    upstream.say(b"late")
    assert client.hear(4) == b"late"


def test_slow_close_delays_fin(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, Fault("slow", CELL, SlowClose(Fixed(0.3)))))
    client, upstream = connected(serving, server)
    began = monotonic()
    upstream.say(b"all").finish()
    assert client.hear(3) == b"all"
    assert client.hear_all() == b""
    assert monotonic() - began >= 0.3
    client.say(b"late").finish()
    assert upstream.hear_all() == b"late"
    serving.settle()
    assert serving.closed(CloseReason.UPSTREAM_EOF) == 1


def test_blackhole_discards_one_direction_and_closes_both_in_order(serving: Serving, server: Server) -> None:
    hole = Fault("hole", CELL, Blackhole(0.3), per_connection=True)
    serving.commit(faulty(server, from_peer=(hole,)))
    client, upstream = connected(serving, server)
    upstream.say(b"through")
    assert client.hear(7) == b"through"
    began = monotonic()
    client.say(b"lost")
    assert upstream.hear_all() == b""
    assert monotonic() - began >= 0.3
    assert client.hear_all() == b""
    client.close()
    upstream.close()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_CLOSE) == 1
    assert serving.count(listener_counters.UPSTREAM_SENT_BYTES) == 0


def test_removed_blackhole_closes_an_open_connection(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, Fault("hole", CELL, Blackhole(0.0), per_connection=True)))
    client, upstream = connected(serving, server)
    upstream.say(b"lost")
    eventually(lambda: serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) == 4)
    serving.commit(faulty(server))
    assert client.hear_all() == b""
    assert upstream.hear_all() == b""


def test_hang_holds_bytes_until_it_is_removed(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, Fault("stuck", CELL, Hang(0.0))))
    client, upstream = connected(serving, server)
    upstream.say(b"held").finish()
    eventually(lambda: serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) == 4)
    client.say(b"free")
    assert upstream.hear(4) == b"free"
    serving.commit(faulty(server))
    assert client.hear_all() == b"held"


def test_hang_with_a_fast_upstream_holds_at_most_its_bound(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, Fault("stuck", CELL, Hang(0.0))))
    client, upstream = connected(serving, server)
    data = random.Random(5).randbytes(12 << 20)
    speaker = threading.Thread(target=speak, args=(upstream, data, random.Random(6)))
    speaker.start()
    eventually(lambda: serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) >= 4 << 20)
    serving.commit(faulty(server, Fault("stuck", CELL, Hang(0.0)), late(0.0)))  # holds on with another one beside it
    assert serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) <= (4 << 20) + (256 << 10)
    serving.commit(faulty(server))
    assert client.hear(len(data)) == data
    speaker.join(30)


def test_reset_that_discards_passes_nothing_on(serving: Serving, server: Server) -> None:
    serving.commit(faulty(server, from_peer=(Fault("reset", CELL, Reset(0.3, discard=True)),)))
    client, upstream = connected(serving, server)
    began = monotonic()
    client.say(b"a")
    for end in (client, upstream):
        with pytest.raises(ConnectionResetError):
            end.sock.recv(1)
    assert monotonic() - began >= 0.3
    serving.settle()
    assert serving.count(listener_counters.UPSTREAM_SENT_BYTES) == 0
