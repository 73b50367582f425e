"""Limits, drains, modes of accept, and changes of the plan, at a listener that relays."""

import random
import threading
from contextlib import suppress
from dataclasses import replace
from time import monotonic

import pytest

from answerback.core.actions import CloseReason
from answerback.core.plan import Accept, JournalSettings
from answerback.core.relay import relay as core
from answerback.net import poller, run_queue
from answerback.net.relay.connection import RelayedConnection
from answerback.shared import listener_counters
from tests.net.conftest import Client, Serving
from tests.net.relay.test_relaying import exchange, speak
from tests.net.relay.upstreams import Accepted, Server, connected, relaying
from tests.waiting import eventually


def greeted(serving: Serving, server: Server, **limits: float) -> tuple[Client, Accepted]:
    """A relayed connection on which a byte has passed each way."""
    serving.commit(relaying(server.upstream, **limits))
    client, upstream = connected(serving, server)
    client.say(b"a")
    assert upstream.hear(1) == b"a"
    upstream.say(b"b")
    assert client.hear(1) == b"b"
    return client, upstream


def leave(*ends: Client) -> None:
    """Both ends see FIN, and close."""
    for end in ends:
        assert end.hear_all() == b""
    for end in ends:
        end.close()


def test_idle_timeout_closes_both_sides_in_order(serving: Serving, server: Server) -> None:
    ends = greeted(serving, server, idle_timeout=0.3)
    leave(*ends)
    assert serving.ended() == {CloseReason.IDLE_TIMEOUT: 1}


def test_idle_timeout_counts_from_the_last_byte_in_either_direction(serving: Serving, server: Server) -> None:
    client, upstream = greeted(serving, server, idle_timeout=1.0)
    until = monotonic() + 2.0
    while monotonic() < until:
        upstream.say(b"x")
        assert client.hear(1) == b"x"
    assert serving.count(listener_counters.OPEN) == 1
    leave(client, upstream)
    assert serving.ended() == {CloseReason.IDLE_TIMEOUT: 1}


def test_lifetime_closes_a_busy_connection_in_order(serving: Serving, server: Server) -> None:
    client, upstream = greeted(serving, server, lifetime=0.5)
    stop = threading.Event()

    def chat() -> None:
        try:
            while not stop.is_set():
                client.say(b"x")
                stop.wait(0.001)
        except OSError:
            pass

    chatter = threading.Thread(target=chat)
    chatter.start()
    assert set(upstream.hear_all()) == {ord("x")}
    assert client.hear_all() == b""
    stop.set()
    chatter.join()
    client.close()
    upstream.close()
    assert serving.ended() == {CloseReason.MAX_LIFETIME: 1}


@pytest.mark.parametrize("slow", [0, 1])
def test_side_that_takes_nothing_within_write_timeout_resets_both(serving: Serving, server: Server, slow: int) -> None:
    ends = greeted(serving, server, write_timeout=0.4)
    data = bytes(64 << 20)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        ends[1 - slow].say(data)
    expected = (CloseReason.WRITE_TIMEOUT, CloseReason.UPSTREAM_WRITE_TIMEOUT)[slow]
    assert serving.ended() == {expected: 1}


def test_connection_of_which_both_sides_are_late_at_once_is_reset_once(serving: Serving, server: Server) -> None:
    ends = greeted(serving, server)
    data = bytes(64 << 20)

    def say(end: Client) -> None:
        with suppress(ConnectionResetError, BrokenPipeError):
            end.say(data)

    speakers = [threading.Thread(target=say, args=(end,)) for end in ends]
    for speaker in speakers:
        speaker.start()
    (connection,) = next(iter(serving.listeners.named(["it"]))).connections
    assert isinstance(connection, RelayedConnection)

    def wake_late() -> bool:
        deliveries = [side.delivery for side in connection.sides if side.unsent]
        late = [delivery for delivery in deliveries if delivery is not None]
        if len(late) == 2:  # the kernel's buffers grow for a while, and then neither is late
            for delivery in late:
                delivery.check_at, delivery.goal = 0.0, 1 << 60
            connection.wake()
        return len(late) == 2

    eventually(lambda: serving.call(wake_late), what="nothing can be sent to either side")
    for speaker in speakers:
        speaker.join()
    assert serving.ended() == {CloseReason.WRITE_TIMEOUT: 1}
    assert serving.count(listener_counters.SESSION_ERRORS) == 0


def test_slow_reader_that_makes_progress_gets_everything(serving: Serving, server: Server) -> None:
    client, upstream = greeted(serving, server, write_timeout=2.0, idle_timeout=2.0)
    data = random.Random(5).randbytes(3 << 20)
    speaker = threading.Thread(target=speak, args=(upstream, data, random.Random(6)))
    speaker.start()
    pause, got, began = threading.Event(), b"", monotonic()
    while len(got) < len(data):
        got += client.hear(min(256 << 10, len(data) - len(got)))
        pause.wait(0.3)
    assert got == data
    assert monotonic() - began > 2.0
    speaker.join()


def test_connection_of_a_relay_has_no_requests(serving: Serving, server: Server) -> None:
    greeted(serving, server)
    (connection,) = next(iter(serving.listeners.named(["it"]))).connections
    assert connection.requests == 0


def test_drain_closes_a_quiet_connection_in_order(serving: Serving, server: Server) -> None:
    ends = greeted(serving, server)
    listener = next(iter(serving.listeners.named(["it"])))
    serving.call(listener.drain)
    leave(*ends)
    assert serving.ended() == {CloseReason.DRAIN: 1}


def test_drain_waits_for_a_busy_connection(serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "QUIET_SECONDS", 0.5)
    client, upstream = greeted(serving, server)
    serving.call(next(iter(serving.listeners.named(["it"]))).drain)
    until = monotonic() + 1.5
    while monotonic() < until:
        client.say(b"x")
        assert upstream.hear(1) == b"x"
    leave(client, upstream)
    assert serving.ended() == {CloseReason.DRAIN: 1}


def test_abort_resets_both_sides(serving: Serving, server: Server) -> None:
    ends = greeted(serving, server)
    serving.call(serving.listeners.abort)
    for end in ends:
        with pytest.raises(ConnectionResetError):
            end.sock.recv(1)
    assert serving.ended() == {CloseReason.ABORTED: 1}


def test_connection_over_max_connections_is_rejected_without_an_upstream(serving: Serving, server: Server) -> None:
    greeted(serving, server, max_connections=1)
    assert serving.connect().hear_all() == b""
    assert serving.count(listener_counters.REJECTED) == 1
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 1


def test_place_of_a_peer_is_free_again_when_its_connection_has_ended(serving: Serving, server: Server) -> None:
    ends = greeted(serving, server, max_connections_per_peer=1)
    assert serving.connect().hear_all() == b""
    ends[0].finish()
    ends[1].finish()
    serving.settle()
    again, upstream = connected(serving, server)
    again.say(b"c")
    assert upstream.hear(1) == b"c"


@pytest.mark.parametrize("accept", [Accept.CLOSE, Accept.RESET])
def test_accept_mode_that_ends_connections_needs_no_upstream(serving: Serving, server: Server, accept: Accept) -> None:
    serving.commit(replace(relaying(server.upstream), accept=accept))
    if accept is Accept.CLOSE:
        client = serving.connect()
        assert client.hear_all() == b""
        client.close()
    else:
        with pytest.raises(ConnectionResetError):
            serving.connect().sock.recv(1)
    serving.settle()
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 0


def test_held_connection_is_relayed_when_it_is_released(serving: Serving, server: Server) -> None:
    plan = relaying(server.upstream)
    serving.commit(replace(plan, accept=Accept.HOLD))
    client = serving.connect().say(b"early")
    eventually(lambda: serving.count(listener_counters.OPEN) == 1)
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 0
    serving.commit(plan)
    upstream = server.accept()
    assert upstream.hear(5) == b"early"
    client.finish()
    upstream.finish()
    serving.settle()


def test_changed_upstream_is_for_new_connections(serving: Serving, server: Server) -> None:
    client, upstream = greeted(serving, server)
    other = Server()
    serving.commit(relaying(other.upstream))
    second, elsewhere = connected(serving, other)
    second.say(b"second")
    assert elsewhere.hear(6) == b"second"
    client.say(b"first")
    assert upstream.hear(5) == b"first"
    other.close()


def test_changed_limits_hold_for_open_connections(serving: Serving, server: Server) -> None:
    ends = greeted(serving, server, lifetime=1.0)
    serving.commit(relaying(server.upstream, idle_timeout=0.2))
    leave(*ends)
    assert serving.ended() == {CloseReason.IDLE_TIMEOUT: 1}


def test_removed_listener_closes_its_quiet_connections(serving: Serving, server: Server) -> None:
    ends = greeted(serving, server)
    serving.commit()
    leave(*ends)
    assert serving.ended() == {CloseReason.DRAIN: 1}


def test_end_is_in_the_journal_unless_it_is_off(serving: Serving, server: Server) -> None:
    client, upstream = greeted(serving, server)
    ring = serving.listeners.journal.events
    client.finish()
    upstream.finish()
    serving.settle()
    assert ring.next == 2, "one record"  # the first number is 1
    serving.commit(replace(relaying(server.upstream), journal=JournalSettings(enabled=False)))
    client, upstream = connected(serving, server)
    client.finish()
    upstream.finish()
    serving.settle()
    assert ring.next == 2


def test_everything_passes_when_no_time_is_left_in_any_turn(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event uses up the time of its iteration, so that all input waits in the queue of turns."""
    for module in (poller, run_queue):
        monkeypatch.setattr(module, "SHARE_SECONDS", 0.0)
    serving.commit(relaying(server.upstream))
    client, upstream = connected(serving, server)
    exchange(client, upstream, 1 << 20, 7)
    assert serving.ended().keys() <= {CloseReason.PEER_EOF, CloseReason.UPSTREAM_EOF}


def test_exception_ends_its_own_connection_alone(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = greeted(serving, server)
    other, upstream = connected(serving, server)
    (wrong,) = (each for each in next(iter(serving.listeners.named(["it"]))).connections if each.received_any)
    real = RelayedConnection.received

    def broken(self: RelayedConnection, side: int, data: bytes, now: float) -> None:
        if self is wrong:
            raise RuntimeError("broken on purpose")
        real(self, side, data, now)

    monkeypatch.setattr(RelayedConnection, "received", broken)
    client.say(b"x")
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    other.say(b"fine")
    assert upstream.hear(4) == b"fine"
    assert serving.closed(CloseReason.INTERNAL_ERROR) == serving.count(listener_counters.SESSION_ERRORS) == 1
