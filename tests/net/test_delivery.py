"""Replies that a peer does not read, or reads slowly: both engines, both loops, and Unix sockets."""

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.framing import Line
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.net import delivery, departure
from answerback.net.connection import Connection
from answerback.net.delivery import LARGE, PROGRESS, SEND_BUFFER, first_check, taken
from answerback.net.resets import reason_of
from answerback.shared import listener_counters
from tests.net.conftest import KINDS, UNIX_KINDS, Client, Serving, each_of, serving_as
from tests.waiting import eventually

SO_MEMINFO = 55  # linux/sock_diag.h: nine numbers of 32 bits
WMEM_QUEUED = 5
SHORT = 0.4
SMALL = b"x" * (LARGE - 1)
LARGER = b"x" * (100 << 10)  # the kernel takes it whole
HUGE = b"x" * (4 << 20)  # it does not take this whole


def plan(*taken: steps.Step, write_timeout: float = SHORT) -> ListenerPlan:
    rules = Rules([Rule("rule", 5000, taken)])
    return ListenerPlan(
        "it", "", framing=Line(keep_ending=False), on_request=rules, limits=Limits(write_timeout=write_timeout)
    )


def asked(serving: Serving, receive_buffer: int = 4096) -> Client:
    """A client that has been sent its reply; it has room for half as much as its receive buffer has."""
    client = serving.connect(receive_buffer=receive_buffer).say(b"a\n")
    eventually(lambda: serving.count(listener_counters.SENT_BYTES) > 0)
    return client


def connections(serving: Serving) -> tuple[Connection, ...]:
    return tuple(each for each in serving.listeners._listeners["it"].connections if isinstance(each, Connection))


unix_serving = each_of(UNIX_KINDS)


# ── What is counted ───────────────────────────────────────────────────────────────────────────────────────────────
HALF = len(HUGE) // 2


def settled(value: Callable[[], int]) -> int:
    """The value once it no longer changes: the kernel has taken what it has room for."""
    seen = [value()]

    def unchanged() -> bool:
        seen.append(value())
        return len(seen) > 5 and len(set(seen[-5:])) == 1

    eventually(unchanged)
    return seen[-1]


@pytest.mark.parametrize("ending", ["reset", "abort"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS + UNIX_KINDS if "uvloop" in kind])
def test_bytes_taken_by_the_kernel_before_a_loss_are_counted(kind: str, ending: str) -> None:
    with serving_as(kind) as serving:
        serving.commit(plan(steps.send(HUGE), write_timeout=30))
        client = asked(serving, receive_buffer=64 << 10)
        client.hear(HALF)  # the rest is in flight, or has not been taken by the kernel
        expected = HALF
        if not kind.endswith("unix"):
            expected = settled(lambda: serving.call(lambda: taken(connections(serving)[0].sock)))
        if ending == "reset":
            client.reset()
        else:
            serving.call(serving.listeners.abort)
        serving.settle()
        counted = serving.count(listener_counters.SENT_BYTES)
        if kind == "coroutine-uvloop-unix" and ending == "reset":
            assert 0 < counted < len(HUGE)  # what the kernel took after it had refused the rest is not known
        elif kind.endswith("unix"):
            assert HALF <= counted < len(HUGE)
        else:
            assert counted == expected
        assert serving.count(listener_counters.RECEIVED_BYTES) == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS + UNIX_KINDS if "uvloop" in kind])
def test_bytes_of_a_reply_that_the_peer_reads_slowly_are_counted_exactly(kind: str) -> None:
    with serving_as(kind) as serving:
        serving.commit(plan(steps.send(HUGE), steps.close(), write_timeout=30))
        client = asked(serving, receive_buffer=64 << 10)
        read = sum(len(client.hear(64 << 10)) for _ in range(10))
        client.say(b"not read: the reply is in progress\n")
        assert read + len(client.hear_all()) == len(HUGE)
        client.close()
        serving.settle()
        assert serving.count(listener_counters.SENT_BYTES) == len(HUGE)
        assert serving.count(listener_counters.RECEIVED_BYTES) == 2 + 35


# ── A peer that reads nothing ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reply", [SMALL, LARGER, HUGE], ids=["small", "whole", "huge"])
def test_unread_reply_is_reset_at_write_timeout(serving: Serving, reply: bytes) -> None:
    serving.commit(plan(steps.send(reply)))
    began = monotonic()
    client = asked(serving)
    assert serving.ended() == {CloseReason.WRITE_TIMEOUT: 1}
    assert monotonic() - began >= SHORT
    with pytest.raises(ConnectionResetError):
        client.hear_all()


def test_unread_small_reply_after_read_ones_is_reset_at_write_timeout(serving: Serving) -> None:
    serving.commit(plan(steps.send(SMALL)))
    client = asked(serving)
    assert client.hear(len(SMALL)) == SMALL
    client.say(b"b\n")
    assert serving.ended() == {CloseReason.WRITE_TIMEOUT: 1}


@pytest.mark.parametrize("half_closed", [False, True])
@pytest.mark.parametrize("reply", [LARGER, HUGE], ids=["whole", "huge"])
def test_unread_reply_before_a_close_is_reset_at_write_timeout(
    serving: Serving, reply: bytes, half_closed: bool
) -> None:
    serving.commit(plan(steps.send(reply), steps.close()))
    client = asked(serving)
    if half_closed:
        client.finish()
    assert serving.ended() == {CloseReason.WRITE_TIMEOUT: 1}
    with pytest.raises(ConnectionResetError):
        client.hear_all()


def test_unread_small_replies_before_a_close_are_reset_at_write_timeout(serving: Serving) -> None:
    serving.commit(plan(steps.send(SMALL[:5000])))
    client = asked(serving)
    client.say(b"b\n")
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 2)
    client.finish()
    assert serving.ended() == {CloseReason.WRITE_TIMEOUT: 1}


def test_reply_without_write_timeout_waits_for_a_slow_reader(serving: Serving) -> None:
    serving.commit(plan(steps.send(LARGER), steps.close(), write_timeout=float("inf")))
    client = asked(serving)
    assert client.hear_all() == LARGER


def test_write_timeout_restarts_only_when_the_peer_reads(serving: Serving) -> None:
    serving.commit(plan(steps.send(LARGER), write_timeout=30.0))
    client = asked(serving)
    (waiting,) = connections(serving)
    eventually(lambda: waiting.has_goal)
    begun = waiting.check_at
    client.say(b"b\n")
    eventually(
        lambda: (
            serving.count(listener_counters.REQUESTS) == 2 and serving.count(listener_counters.SENT_BYTES) > len(LARGER)
        )
    )
    assert waiting.check_at == begun
    client.hear(2 * len(LARGER))
    client.say(b"c\n")
    eventually(lambda: waiting.check_at > begun, what="the time that begins again")


# ── A peer that reads slowly ──────────────────────────────────────────────────────────────────────────────────────


def sip(client: Client, size: int, gap: float) -> bytes:
    """Read so much at a time, until there is no more."""
    heard, pause = b"", threading.Event()
    while piece := client.sock.recv(size):
        heard += piece
        pause.wait(gap)
    return heard


@pytest.mark.parametrize("taken", [(steps.send(HUGE),), (steps.send(LARGER), steps.close())], ids=["huge", "closed"])
def test_reader_below_the_minimum_rate_is_reset(serving: Serving, taken: tuple[steps.Step, ...]) -> None:
    serving.commit(plan(*taken))
    client = asked(serving)
    with pytest.raises(ConnectionResetError):
        sip(client, 256, 0.02)
    assert serving.ended() == {CloseReason.WRITE_TIMEOUT: 1}


def test_slow_reader_above_the_minimum_rate_receives_everything(serving: Serving) -> None:
    reply = HUGE[: 1 << 20]
    serving.commit(plan(steps.send(reply), steps.close(), write_timeout=1.0))
    began = monotonic()
    client = asked(serving, receive_buffer=64 << 10)
    assert sip(client, PROGRESS, 0.1) == reply
    assert monotonic() - began > 1.2  # longer than the timeout, and each second more than is asked for
    client.close()
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 1}


def test_reader_that_catches_up_in_time_is_kept(serving: Serving) -> None:
    serving.commit(plan(steps.send(LARGER)))
    client = asked(serving)
    assert client.hear(len(LARGER)) == LARGER
    (at_first,) = connections(serving)
    looked_at = at_first.check_at
    eventually(lambda: at_first.check_at > looked_at + SHORT, what="two looks")
    assert not at_first.has_goal
    assert serving.count(listener_counters.OPEN) == 1
    client.say(b"b\n")
    assert client.hear(len(LARGER)) == LARGER


@pytest.mark.parametrize("serving", [*KINDS, *UNIX_KINDS], indirect=True)
def test_reader_always_one_small_reply_behind_is_kept(serving: Serving) -> None:
    serving.commit(plan(steps.send(SMALL)))
    client = asked(serving)
    began = monotonic()
    while monotonic() < began + 4 * SHORT:
        client.say(b"b\n")
        assert client.hear(len(SMALL)) == SMALL
    assert serving.count(listener_counters.OPEN) == 1


# ── The socket is kept until the peer has everything ──────────────────────────────────────────────────────────────


def departing(serving: Serving) -> bool:
    return any(each.departing for each in connections(serving))


def test_closing_connection_is_open_until_the_peer_has_read_everything(serving: Serving) -> None:
    serving.commit(plan(steps.send(LARGER), steps.close(), write_timeout=30.0))
    client = asked(serving).finish()
    eventually(lambda: departing(serving))
    assert serving.count(listener_counters.OPEN) == 1
    assert client.hear_all() == LARGER
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 1}


def test_unread_reply_is_waited_for_by_a_drain_and_reset_by_an_abort(serving: Serving) -> None:
    serving.commit(plan(steps.send(LARGER), steps.close(), write_timeout=30.0))
    client = asked(serving).finish()
    eventually(lambda: departing(serving))
    serving.call(serving.listeners.drain)
    assert serving.count(listener_counters.OPEN) == 1
    serving.call(serving.listeners.abort)
    assert serving.ended() == {CloseReason.ABORTED: 1}
    with pytest.raises(ConnectionResetError):
        client.hear_all()


def test_reset_by_the_peer_of_a_closing_connection_keeps_the_close_reason(serving: Serving) -> None:
    serving.commit(plan(steps.send(LARGER), steps.close(), write_timeout=30.0))
    client = asked(serving).finish()
    eventually(lambda: departing(serving))
    client.reset()
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 1}


# ── What it costs ─────────────────────────────────────────────────────────────────────────────────────────────────


def noted_looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The descriptors that a look is taken at, each a system call."""
    looks: list[int] = []

    def look(sock: socket.SocketType) -> int:
        looks.append(sock.fileno())
        return 0

    for module, name in ((delivery, "unread"), (delivery, "acknowledged"), (departure, "unread")):
        monkeypatch.setattr(module, name, look)
    return looks


def test_small_reply_costs_no_look_at_the_kernel_queue(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = noted_looks(monkeypatch)
    serving.commit(plan(steps.send(SMALL), steps.close(), write_timeout=30.0))
    for _ in range(5):
        client = serving.connect().say(b"a\n")
        assert client.hear_all() == SMALL
        client.close()
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 5}
    assert looks == []


def test_read_small_replies_cause_no_kernel_queries(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = noted_looks(monkeypatch)
    serving.commit(plan(steps.echo(), write_timeout=30.0))
    client = serving.connect()
    for _ in range(50):
        assert client.say(b"a\n").hear(1) == b"a"
    assert looks == []


def test_kernel_memory_for_a_peer_that_does_not_read_is_bounded(serving: Serving) -> None:
    serving.commit(plan(steps.send(HUGE), write_timeout=30.0))
    for _ in range(3):
        asked(serving)
    eventually(lambda: len([each for each in connections(serving) if each.unsent]) == 3)
    for each in connections(serving):
        memory = struct.unpack("9I", each.sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
        assert memory[WMEM_QUEUED] <= 2 * SEND_BUFFER + (128 << 10)


def test_accepted_sockets_have_user_timeout_and_send_buffer_set(serving: Serving) -> None:
    it = plan(steps.echo(), write_timeout=7.0)
    for seconds, milliseconds in ((7.0, 8000), (2.5, 3500), (float("inf"), 0), (1e9, delivery.MOST_MILLISECONDS)):
        serving.commit(replace(it, limits=Limits(write_timeout=seconds)))
        client = serving.connect().say(b"a\n")
        assert client.hear(1) == b"a"
        (accepted,) = connections(serving)
        assert accepted.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == milliseconds
        assert accepted.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER
        client.reset()
        serving.settle()


def test_kernel_timeout_is_counted_as_write_timeout() -> None:
    assert reason_of(TimeoutError(110, "Connection timed out")) is CloseReason.WRITE_TIMEOUT
    assert reason_of(OSError(113, "No route to host")) is CloseReason.PEER_LOST


# ── Unix sockets ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reply", [SMALL, LARGER, HUGE], ids=["small", "whole", "huge"])
def test_unix_peer_that_does_not_read_is_closed_at_write_timeout(unix_serving: Serving, reply: bytes) -> None:
    unix_serving.commit(plan(steps.send(reply)))
    asked(unix_serving)
    assert unix_serving.ended() == {CloseReason.WRITE_TIMEOUT: 1}


def test_unix_peer_that_reads_slowly_receives_everything(unix_serving: Serving) -> None:
    reply = HUGE[: 1 << 20]
    unix_serving.commit(plan(steps.send(reply), steps.close(), write_timeout=1.0))
    client = asked(unix_serving)
    assert sip(client, PROGRESS, 0.1) == reply


def test_unix_peer_reads_the_whole_reply_after_the_close(unix_serving: Serving) -> None:
    """The peer holds it, in its own receive queue: there is nothing to wait for."""
    unix_serving.commit(plan(steps.send(LARGER), steps.close(), write_timeout=30.0))
    client = asked(unix_serving).finish()
    assert unix_serving.ended() == {CloseReason.SERVER_CLOSE: 1}
    assert client.hear_all() == LARGER


# ── The first check ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("time", [0.0, 0.01, 1.0, 1.06, 1.0625, 123456.7])
def test_first_check_is_at_the_next_sixteenth_of_a_second(time: float) -> None:
    check = first_check(time)
    assert time < check <= time + 1 / 16
    assert (check * 16).is_integer()
    assert first_check(check - 1 / 1024) is check, "connections of one moment share the number"


def test_without_a_limit_there_is_no_first_check() -> None:
    assert first_check(float("inf")) == float("inf")
