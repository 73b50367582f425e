"""What passes through a relay: bytes, FIN and RST, as they came."""

import random
import socket
import threading

import pytest

from answerback.core.actions import CloseReason
from answerback.net.delivery import SO_BUF_LOCK
from answerback.shared import listener_counters
from tests.net.conftest import Client, Serving
from tests.net.relay.test_ruled_bounds import connection_of
from tests.net.relay.upstreams import Server, connected, held_for, relaying
from tests.waiting import eventually


def test_bytes_pass_in_both_directions(serving: Serving, server: Server) -> None:
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    client.say(b"question")
    assert upstream.hear(8) == b"question"
    upstream.say(b"answer")
    assert client.hear(6) == b"answer"


def test_upstream_that_speaks_first_is_heard(serving: Serving, server: Server) -> None:
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    upstream.say(b"220 ready\r\n")
    assert client.hear(11) == b"220 ready\r\n"


def test_half_close_of_the_client_leaves_the_other_direction_open(serving: Serving, server: Server) -> None:
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    client.say(b"all").finish()
    assert upstream.hear_all() == b"all"
    upstream.say(b"late").finish()
    assert client.hear_all() == b"late"
    serving.settle()
    assert serving.closed(CloseReason.PEER_EOF) == 1


def test_half_close_of_the_upstream_leaves_the_other_direction_open(serving: Serving, server: Server) -> None:
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    upstream.say(b"all").finish()
    assert client.hear_all() == b"all"
    client.say(b"late").finish()
    assert upstream.hear_all() == b"late"
    serving.settle()
    assert serving.closed(CloseReason.UPSTREAM_EOF) == 1


def test_reset_by_the_client_resets_the_upstream(serving: Serving, server: Server) -> None:
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    client.say(b"a")
    assert upstream.hear(1) == b"a"
    client.reset()
    with pytest.raises(ConnectionResetError):
        upstream.sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.PEER_RESET) == 1


def test_reset_by_the_upstream_resets_the_client(serving: Serving, server: Server) -> None:
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    upstream.say(b"a")
    assert client.hear(1) == b"a"
    upstream.reset()
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.UPSTREAM_RESET) == 1


def test_reset_behind_a_half_close_is_passed_on(serving: Serving, server: Server) -> None:
    """The client has sent FIN, then leaves: what the upstream sends afterwards is refused."""
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    client.say(b"a").finish()
    assert upstream.hear_all() == b"a"
    client.close()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        upstream.say(bytes(10_000_000))
    serving.settle()
    assert serving.closed(CloseReason.PEER_RESET) == 1


def speak(end: Client, data: bytes, chance: random.Random) -> None:
    """Send everything, cut anywhere, then FIN."""
    at = 0
    while at < len(data):
        size = chance.choice((1, 7, 1000, 65_536, 1_000_000))
        end.say(data[at : at + size])
        at += size
    end.finish()


def exchange(client: Client, upstream: Client, size: int, seed: int) -> None:
    """Send random bytes both ways at once; each end must get exactly what the other one sent."""
    chance = random.Random(seed)
    there, back = chance.randbytes(size), chance.randbytes(size)
    threads = [
        threading.Thread(target=speak, args=(client, there, random.Random(seed + 1))),
        threading.Thread(target=speak, args=(upstream, back, random.Random(seed + 2))),
    ]
    got: dict[str, bytes] = {}
    threads += [
        threading.Thread(target=lambda: got.update(there=upstream.hear_all())),
        threading.Thread(target=lambda: got.update(back=client.hear_all())),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert got["there"] == there
    assert got["back"] == back


def test_large_random_data_passes_both_ways_at_once(serving: Serving, server: Server) -> None:
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    size = 8 << 20
    exchange(client, upstream, size, 1)
    serving.settle()
    for cell in (
        listener_counters.RECEIVED_BYTES,
        listener_counters.SENT_BYTES,
        listener_counters.UPSTREAM_RECEIVED_BYTES,
        listener_counters.UPSTREAM_SENT_BYTES,
    ):
        assert serving.count(cell) == size


@pytest.mark.long
def test_one_gibibyte_passes_both_ways_at_once(serving: Serving, server: Server) -> None:
    """Numbered blocks, so that the data need not be in memory."""
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    block = random.Random(8).randbytes(1 << 20)

    def send(end: Client) -> None:
        for number in range(1024):
            end.say(number.to_bytes(4, "big") + block)
        end.finish()

    def check(end: Client) -> None:
        for number in range(1024):
            assert end.hear(4) == number.to_bytes(4, "big")
            assert end.hear(len(block)) == block
        assert end.hear_all() == b""
        checked.append(end)

    checked: list[Client] = []
    threads = [threading.Thread(target=each, args=(end,)) for each in (send, check) for end in (client, upstream)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(170)
    assert len(checked) == 2
    serving.settle()


def test_unix_sockets_on_both_sides_pass_large_random_data(unix_serving: Serving, unix_server: Server) -> None:
    unix_serving.commit(relaying(unix_server.upstream))
    client, upstream = connected(unix_serving, unix_server)
    exchange(client, upstream, 2 << 20, 2)
    unix_serving.settle()


def test_kernel_tunes_the_send_buffers_of_both_sides(serving: Serving, server: Server) -> None:
    """A bounded one of 256 KiB costs twice the CPU for each MiB: the receiver sleeps and is woken again and again."""
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    client.say(b"a")
    assert upstream.hear(1) == b"a"
    (connection,) = next(iter(serving.listeners.named(["it"]))).connections
    for side in connection.sides:  # type: ignore[attr-defined]
        assert side.sock.getsockopt(socket.SOL_SOCKET, SO_BUF_LOCK) == 0


def test_slow_client_with_a_fast_upstream_holds_one_read(serving: Serving, server: Server) -> None:
    """The upstream is stopped by back-pressure long before it has sent everything, and nothing is lost."""
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    data = random.Random(3).randbytes(16 << 20)
    speaker = threading.Thread(target=speak, args=(upstream, data, random.Random(4)))
    speaker.start()
    listener = next(iter(serving.listeners.named(["it"])))
    connection = next(iter(listener.connections))
    eventually(lambda: serving.call(lambda: connection.waits_for) == "client_reads")
    assert held_for(serving, connection, 0) <= 256 << 10
    assert serving.count(listener_counters.UPSTREAM_RECEIVED_BYTES) < 8 << 20
    assert client.hear(len(data)) == data
    speaker.join(30)


def test_bytes_of_the_client_are_counted_for_each_connection(serving: Serving, server: Server) -> None:
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    client.say(b"question")
    assert upstream.hear(8) == b"question"
    upstream.say(b"no")
    assert client.hear(2) == b"no"
    connection = connection_of(serving)
    assert serving.call(lambda: (connection.received_bytes, connection.sent_bytes)) == (8, 2)
    assert not connection.finished
