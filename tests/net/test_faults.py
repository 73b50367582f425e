"""Each fault as a real client sees it, on both engines and both loops."""

import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import Self

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.delays import Fixed, Uniform
from answerback.core.faults import (
    Bandwidth,
    Corrupt,
    Drop,
    Effect,
    Fault,
    Hang,
    Latency,
    Reset,
    Slice,
    SlowClose,
    Truncate,
)
from answerback.core.framing import Line
from answerback.core.plan import ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.shared import listener_counters
from tests.net.conftest import Client, Serving
from tests.net.test_conformance import SPARE
from tests.waiting import eventually

STRIKES = SPARE + 1
COUNTER = SPARE + 10
REPLY = b"0123456789" * 10
MORE = b"x" * 300_000  # bytes after a request that the server does not need
SILENCE = 0.2  # seconds that tell silence from a reply


def fault(effect: Effect, number: int = 0, **when: float) -> Fault:
    return Fault(f"faults[{number}]", STRIKES + number, effect, sequence_cell=COUNTER + 2 * number, **when)  # type: ignore[arg-type]


def plan(*effects: Effect | Fault, script: tuple[steps.Step, ...] = (steps.send(REPLY),)) -> ListenerPlan:
    faults = [each if isinstance(each, Fault) else fault(each, number) for number, each in enumerate(effects)]
    rule = Rule("rule", SPARE, script, has_faults=bool(faults))
    return ListenerPlan(
        "it", "", framing=Line(keep_ending=False), on_request=Rules([rule]), faults=tuple(faults), random_seed=7
    )


CLOSING = (steps.send(REPLY), steps.close())


def strikes(serving: Serving) -> int:
    return int(serving.memory.region(0)[STRIKES])


class Watch:
    """How long something took, at least."""

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self.began


def is_silent(client: Client) -> bool:
    """Whether nothing comes, and the connection stays open."""
    client.sock.settimeout(SILENCE)
    try:
        client.sock.recv(1)
    except TimeoutError:
        return True
    finally:
        client.sock.settimeout(10)
    return False


def test_latency_fault_delays_each_reply(serving: Serving) -> None:
    serving.commit(plan(Latency(Fixed(0.1))))
    client = serving.connect()
    with Watch() as watch:
        assert client.say(b"a\nb\n").hear(200) == REPLY * 2
    assert watch.seconds >= 0.2
    assert strikes(serving) == 2
    assert serving.count(listener_counters.DELAY_NANOSECONDS) == 200_000_000


def test_bandwidth_fault_slows_a_reply(serving: Serving) -> None:
    serving.commit(plan(Bandwidth(500)))
    client = serving.connect()
    with Watch() as watch:
        assert client.say(b"a\n").hear(100) == REPLY
    assert watch.seconds >= 0.2


def test_slice_fault_sends_a_reply_in_pieces(serving: Serving) -> None:
    serving.commit(plan(Slice(30, 5, 0.03)))
    client = serving.connect()
    with Watch() as watch:
        assert client.say(b"a\n").hear(100) == REPLY
    assert watch.seconds >= 0.06  # three pieces at least
    assert client.finish().hear_all() == b""


@pytest.mark.parametrize("unread", [b"", MORE])
def test_truncate_fault_by_fin_ends_in_order(serving: Serving, unread: bytes) -> None:
    serving.commit(plan(Truncate(42, by_reset=False)))
    client = serving.connect().say(b"a\n" + unread)
    assert client.hear_all() == REPLY[:42]
    client.finish()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_CLOSE) == 1


@pytest.mark.parametrize("unread", [b"", b"b\n" * 1000])
def test_truncate_fault_by_rst_resets_after_the_bytes(serving: Serving, unread: bytes) -> None:
    serving.commit(plan(Truncate(42, by_reset=True)))
    client = serving.connect().say(b"a\n" + unread)
    with pytest.raises(ConnectionResetError):
        client.hear_all()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_RESET) == 1
    assert serving.count(listener_counters.SENT_BYTES) == 42


def test_hang_fault_sends_nothing_until_the_client_closes(serving: Serving) -> None:
    serving.commit(plan(Hang(0)))
    client = serving.connect().say(b"a\nb\n")
    assert is_silent(client)
    assert serving.count(listener_counters.OPEN) == strikes(serving) == 1
    assert client.finish().hear_all() == b""
    serving.settle()
    assert serving.closed(CloseReason.PEER_GAVE_UP) == 1


def test_hang_with_ignore_fin_keeps_the_connection_open(serving: Serving) -> None:
    serving.commit(plan(Hang(0, ignore_fin=True)))
    client = serving.connect().say(b"a\nb\n")
    assert is_silent(client.finish())
    assert serving.count(listener_counters.OPEN) == strikes(serving) == 1


def test_hang_within_a_reply_sends_nothing_more(serving: Serving) -> None:
    script = (steps.send(b"one"), steps.delay_fixed(0.1), steps.send(b"two"), steps.delay_fixed(0.1), steps.send(b"."))
    serving.commit(plan(Hang(0.15), script=script))
    client = serving.connect().say(b"a\n")
    assert client.hear(6) == b"onetwo"
    assert is_silent(client)


@pytest.mark.parametrize("unread", [b"", b"b\n" * 1000])
def test_reset_fault_resets_the_connection(serving: Serving, unread: bytes) -> None:
    serving.commit(plan(Reset(0)))
    with pytest.raises(ConnectionResetError):
        serving.connect().say(b"a\n" + unread).hear_all()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_RESET) == strikes(serving) == 1
    assert serving.count(listener_counters.SENT_BYTES) == 0


def test_reset_within_a_reply_comes_after_its_delay(serving: Serving) -> None:
    serving.commit(plan(Reset(0.1)))
    client = serving.connect().say(b"a\n")
    with Watch() as watch:
        assert client.hear(100) == REPLY
        with pytest.raises(ConnectionResetError):
            client.hear_all()
    assert watch.seconds >= 0.09  # the client's clock began a little later


@pytest.mark.parametrize("script", [CLOSING, (steps.send(REPLY),)])
def test_slow_close_fault_delays_the_fin(serving: Serving, script: tuple[steps.Step, ...]) -> None:
    serving.commit(plan(SlowClose(Fixed(0.1)), script=script))
    client = serving.connect()
    with Watch() as watch:
        client.say(b"a\n" + (b"" if script == CLOSING else b"half"))
        assert client.hear(100) == REPLY
        assert client.finish().hear_all() == b""
    assert watch.seconds >= 0.1
    serving.settle()
    assert strikes(serving) == 1
    reason = CloseReason.SERVER_CLOSE if script == CLOSING else CloseReason.PEER_EOF
    assert serving.closed(reason) == 1


def test_corrupt_fault_changes_bytes_on_the_wire(serving: Serving) -> None:
    serving.commit(plan(Corrupt(3)))
    heard = serving.connect().say(b"a\n").hear(100)
    assert sum(was != came for was, came in zip(REPLY, heard, strict=True)) == 3


def test_drop_fault_with_times_drops_the_first_replies(serving: Serving) -> None:
    serving.commit(plan(fault(Drop(), times=2), script=CLOSING))
    assert [serving.connect().say(b"a\n").hear_all() for _ in range(4)] == [b"", b"", REPLY, REPLY]
    assert strikes(serving) == 2


def test_several_faults_apply_in_their_order(serving: Serving) -> None:
    serving.commit(plan(Latency(Fixed(0.05)), Slice(20, 0, 0.02), Truncate(50, by_reset=False), SlowClose(Fixed(0.05))))
    client = serving.connect().say(b"a\nb\n")
    with Watch() as watch:
        assert client.hear_all() == REPLY[:50]
    assert watch.seconds >= 0.13  # of 0.14 s; the client's clock began a little later


def test_committed_faults_apply_to_the_next_request_of_a_connection(serving: Serving) -> None:
    serving.commit(plan())
    client = serving.connect().say(b"a\n")
    assert client.hear(100) == REPLY
    serving.commit(plan(Corrupt(1)))
    assert client.say(b"a\n").hear(100) != REPLY
    serving.commit(plan())
    assert client.say(b"a\n").hear(100) == REPLY


CHANCY = plan(
    fault(Corrupt(3), probability=0.7),
    fault(Slice(30, 20, 0), 1, probability=0.5),
    fault(Latency(Uniform(0, 0.001)), 2),
    fault(Truncate(60, by_reset=False), 3, probability=0.2),
)


def conversations(serving: Serving) -> list[bytes]:
    found = []
    for _ in range(20):
        client = serving.connect().say(b"a\nb\nc\n").finish()
        found.append(client.hear_all())
        client.close()
    return found


def test_listener_with_same_seed_repeats_its_faults(serving: Serving) -> None:
    serving.commit(CHANCY)
    first = conversations(serving)
    assert len({*first}) > 10
    serving.commit(replace(CHANCY, random_seed=8))
    other = conversations(serving)
    assert other != first
    serving.commit(CHANCY)
    assert conversations(serving) == first


def reading_slowly(rate: int) -> ListenerPlan:
    slow = Fault("slow", STRIKES, Bandwidth(rate), sequence_cell=COUNTER, read_rate=rate)
    return replace(plan(), faults_from_peer=(slow,))


def test_bandwidth_fault_from_peer_slows_a_request(serving: Serving) -> None:
    serving.commit(reading_slowly(500))
    client = serving.connect()
    with Watch() as watch:
        assert client.say(b"x" * 99 + b"\n").hear(100) == REPLY
    assert watch.seconds >= 0.2
    assert strikes(serving) == 1
    assert client.finish().hear_all() == b""


MOST_READ = 64 << 10  # bytes that an engine reads at once


def test_slow_reader_makes_the_client_wait_until_the_fault_is_removed(serving: Serving) -> None:
    serving.commit(reading_slowly(10))
    client = serving.connect(receive_buffer=4096)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    request, sent = b"x" * 999 + b"\n", 0
    client.sock.settimeout(SILENCE)
    with suppress(TimeoutError):
        while sent < 64 << 20:
            sent += client.sock.send((request * 100)[sent % 1000 :])
    assert sent < 32 << 20, "what the kernel takes, and one read"
    assert 0 < serving.count(listener_counters.RECEIVED_BYTES) <= MOST_READ
    assert serving.count(listener_counters.REQUESTS) == 0
    serving.commit(plan())
    client.sock.settimeout(10)
    client.sock.shutdown(socket.SHUT_WR)
    assert len(client.hear_all()) == (sent // 1000) * len(REPLY)
    assert serving.count(listener_counters.RECEIVED_BYTES) == sent


def test_reset_of_a_slow_readers_client_closes_the_connection(serving: Serving) -> None:
    serving.commit(reading_slowly(1))
    client = serving.connect().say(b"x" * 1000)
    eventually(lambda: serving.count(listener_counters.RECEIVED_BYTES) == 1000)
    client.reset()
    eventually(lambda: serving.count(listener_counters.CLOSED + CloseReason.PEER_RESET) == 1)
