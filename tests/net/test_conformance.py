"""One suite for both engines, both loops and Unix sockets: replies to clients, and counters."""

import asyncio
import resource
import socket
import sys
from dataclasses import replace

import pytest

from answerback.core import matching, steps
from answerback.core.actions import CloseReason
from answerback.core.context import RequestContext
from answerback.core.expectation import Expectation
from answerback.core.framing import Framing, Line, Read
from answerback.core.matching.literals import explain_equals
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.shared import listener_counters
from answerback.shared.counters import REGION_CELLS
from tests.net.conftest import KINDS, UNIX_KINDS, Serving, each_of
from tests.waiting import eventually

WITH_RST = pytest.mark.parametrize("serving", KINDS, indirect=True)  # a Unix socket has none: see test_unix.py
LINE = Line(keep_ending=False)
SEGMENTS_IN = 140  # where tcpi_segs_in stands in struct tcp_info (linux/tcp.h)
SPARE = 5000  # a cell that no listener's block reaches, for matches of rules


serving = each_of([*KINDS, *UNIX_KINDS])


def rule(*taken: steps.Step, when: bytes | None = None) -> Rule:
    return Rule("rule", SPARE, taken, None if when is None else matching.equals(when), when)


def plan(
    *rules: Rule, framing: Framing = LINE, connect: Rule | None = None, limits: Limits | None = None
) -> ListenerPlan:
    return ListenerPlan(
        "it",
        "",
        framing=framing,
        on_request=Rules(rules),
        on_connect=Rules([connect] if connect else []),
        limits=limits or Limits(),
    )


HELLO = plan(rule(steps.send(b"Hello, World!"), steps.close()), framing=Read(1024))
SERVICES = plan(
    rule(steps.delay_fixed(0.1), steps.send(b"slow\n"), when=b"slow"),
    rule(steps.send(b"bye\n"), steps.close(), when=b"quit"),
    rule(steps.send(b"about to"), steps.reset(), when=b"reset"),
    rule(steps.echo(), steps.send(b"\n")),
)
BIG = b"0123456789abcdef" * (256 << 10)  # 4 MiB: more than the kernel takes


def test_hello_plan_answers_a_client_and_counts_a_probe(serving: Serving) -> None:
    serving.commit(HELLO)
    assert serving.connect().say(b"anyone there?").hear_all() == b"Hello, World!"
    serving.connect().finish().hear_all()
    serving.clients[0].close()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_CLOSE) == 1
    assert serving.closed(CloseReason.PEER_EOF) == serving.count(listener_counters.PROBES) == 1
    assert (serving.count(listener_counters.RECEIVED_BYTES), serving.count(listener_counters.SENT_BYTES)) == (13, 13)


@WITH_RST
def test_last_reply_and_fin_come_in_one_packet(serving: Serving) -> None:
    serving.commit(plan(connect=rule(steps.send(b"welcome\n"), steps.close())))
    client = serving.connect()
    assert client.hear_all() == b"welcome\n"
    info = client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SEGMENTS_IN + 4)
    assert int.from_bytes(info[SEGMENTS_IN:], sys.byteorder) == 2, "it got SYN-ACK and that"


def test_engine_answers_pipelined_lines_in_order_and_counts_them(serving: Serving) -> None:
    serving.commit(SERVICES)
    client = serving.connect().say(b"a\nslow\r\nb\nc")
    assert client.hear(9) == b"a\nslow\nb\n"
    assert client.say(b"d\n").finish().hear_all() == b"cd\n"
    serving.settle()
    assert serving.count(listener_counters.REQUESTS) == 4
    assert serving.count(listener_counters.DELAY_NANOSECONDS) == 100_000_000
    assert sum(serving.count(listener_counters.DURATION + place) for place in range(20)) == 4


def test_unmatched_requests_do_not_delay_the_next_reply(serving: Serving) -> None:
    serving.commit(plan(rule(steps.echo(), when=b"answer me")))
    client = serving.connect().say(b"a\n" * 1000 + b"answer me\n")
    assert client.hear(9) == b"answer me"
    assert client.say(b"b\n" * 1000).finish().hear_all() == b""
    serving.settle()
    assert (serving.count(listener_counters.REQUESTS), serving.count(listener_counters.UNMATCHED)) == (2001, 2000)
    assert sum(serving.count(listener_counters.DURATION + place) for place in range(20)) == 2001


def test_unmatched_requests_that_waited_have_a_duration(serving: Serving) -> None:
    serving.commit(plan(rule(steps.delay_fixed(0.05), steps.echo(), when=b"slow")))
    client = serving.connect().say(b"slow\n")
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 1)
    assert client.say(b"a\nb\n").hear(4) == b"slow"
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 3)
    assert client.finish().hear_all() == b""
    serving.settle()
    assert sum(serving.count(listener_counters.DURATION + place) for place in range(20)) == 3


def test_delay_and_close_ignore_later_requests(serving: Serving) -> None:
    serving.commit(plan(rule(steps.delay_fixed(0.05), steps.send(b"late"), steps.close())))
    assert serving.connect().say(b"x\ny\n").hear_all() == b"late"


def test_slow_reader_receives_the_whole_reply(serving: Serving) -> None:
    serving.commit(plan(rule(steps.send(BIG))))
    client = serving.connect(receive_buffer=4096).say(b"a\nb\n").finish()
    eventually(lambda: serving.count(listener_counters.SENT_BYTES) > 0)
    assert client.hear_all() == BIG + BIG
    serving.settle()
    assert serving.count(listener_counters.SENT_BYTES) == 2 * len(BIG)


@WITH_RST
def test_reader_that_stops_is_reset_at_write_timeout(serving: Serving) -> None:
    serving.commit(plan(rule(steps.send(BIG)), limits=Limits(write_timeout=0.2)))
    client = serving.connect(receive_buffer=4096).say(b"a\n")
    serving.settle()
    assert serving.closed(CloseReason.WRITE_TIMEOUT) == 1
    with pytest.raises(ConnectionResetError):
        client.hear_all()


def test_replies_in_progress_at_eof_are_sent(serving: Serving) -> None:
    serving.commit(SERVICES)
    assert serving.connect().say(b"slow\nhalf").finish().hear_all() == b"slow\n"
    serving.settle()
    assert serving.closed(CloseReason.PEER_EOF) == serving.count(listener_counters.TRUNCATED) == 1


def test_client_that_sends_after_the_close_is_not_reset(serving: Serving) -> None:
    serving.commit(plan(connect=rule(steps.send(b"up\n"), steps.close())))
    client = serving.connect()
    assert client.hear_all() == b"up\n"
    for _ in range(20):
        client.say(b"still here")
    client.finish()
    serving.settle()
    assert serving.count(listener_counters.RECEIVED_BYTES) == 200
    assert serving.closed(CloseReason.SERVER_CLOSE) == 1


@WITH_RST
def test_reset_step_resets_after_the_bytes_sent(serving: Serving) -> None:
    serving.commit(SERVICES)
    client = serving.connect().say(b"reset\n")
    assert client.hear(8) == b"about to"
    with pytest.raises(ConnectionResetError):
        client.hear(1)
    serving.settle()
    assert serving.closed(CloseReason.SERVER_RESET) == 1


@WITH_RST
def test_reset_by_the_peer_is_distinguished_from_eof(serving: Serving) -> None:
    serving.commit(SERVICES)
    client = serving.connect().say(b"a\n")
    client.hear(2)
    client.reset()
    serving.settle()
    assert serving.closed(CloseReason.PEER_RESET) == 1


@WITH_RST
def test_reset_by_the_peer_during_a_delay_is_counted(serving: Serving) -> None:
    serving.commit(plan(rule(steps.delay_fixed(0.05), steps.echo())))
    client = serving.connect().say(b"a\n")
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 1)
    client.reset()
    serving.settle()
    assert serving.closed(CloseReason.PEER_RESET) == 1


@pytest.mark.parametrize(
    "limits,said,reason",
    [
        (Limits(idle_timeout=0.1), b"a\n", CloseReason.IDLE_TIMEOUT),
        (Limits(request_timeout=0.1), b"a\nhalf", CloseReason.REQUEST_TIMEOUT),
        (Limits(lifetime=0.1), b"a\n", CloseReason.MAX_LIFETIME),
        (Limits(max_request_bytes=10), b"a\n" + b"x" * 11, CloseReason.REQUEST_TOO_LARGE),
    ],
)
def test_limits_close_in_order(serving: Serving, limits: Limits, said: bytes, reason: CloseReason) -> None:
    serving.commit(replace(SERVICES, limits=limits))
    client = serving.connect().say(said)
    assert client.hear_all() == b"a\n"
    client.close()
    serving.settle()
    assert serving.closed(reason) == 1


@WITH_RST
def test_exception_in_a_step_resets_only_its_connection(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_turn: RequestContext) -> None:
        raise RuntimeError("broken step")

    serving.commit(plan(rule(broken, when=b"bad"), rule(steps.echo())))
    other = serving.connect().say(b"a\n")
    assert other.hear(1) == b"a"
    with pytest.raises(ConnectionResetError):
        serving.connect().say(b"bad\n").hear_all()
    assert other.say(b"b\n").hear(1) == b"b"
    assert serving.count(listener_counters.SESSION_ERRORS) == serving.closed(CloseReason.INTERNAL_ERROR) == 1
    assert "broken step" in caplog.text


def test_unexpected_frame_closes_in_order_and_is_logged_without_its_bytes(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    cell = REGION_CELLS // 2
    secret = Expectation("login", cell, matching.equals(b"secret"), lambda: explain_equals(b"secret"))
    serving.commit(plan(rule(steps.receive(LINE, "", secret), steps.send(b"in\n"))))
    assert serving.connect().say(b"ada\nsecret\n").finish().hear_all() == b"in\n"
    serving.clients[0].close()
    for _ in range(2):
        assert serving.connect().say(b"ada\nsecrEt\nls\n").hear_all() == b""
        serving.clients[-1].close()
    serving.settle()
    assert serving.closed(CloseReason.UNEXPECTED) == serving.memory.region(0)[cell] == 2
    records = [record for record in caplog.records if "not what the rule expects" in record.message]
    assert [(vars(each)["rule"], vars(each)["differs_at_byte"]) for each in records] == [("login", 4)] * 2
    assert "secrEt" not in caplog.text


def test_new_plan_applies_to_the_next_request(serving: Serving) -> None:
    serving.commit(SERVICES)
    client = serving.connect().say(b"a\n")
    assert client.hear(2) == b"a\n"
    serving.commit(plan(rule(steps.send(b"new\n"))))
    assert client.say(b"a\n").hear(4) == b"new\n"
    assert serving.connect().say(b"a\n").hear(4) == b"new\n"


def test_removed_listener_finishes_replies_and_closes_idle_connections(serving: Serving) -> None:
    serving.commit(SERVICES, replace(SERVICES, name="other"))
    busy, idle = serving.connect().say(b"slow\n"), serving.connect().say(b"a\n")
    assert idle.hear(2) == b"a\n"
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 2)
    serving.commit(replace(SERVICES, name="other"))
    assert idle.hear_all() == b""
    assert busy.hear_all() == b"slow\n"
    assert serving.connect("other").say(b"a\n").hear(2) == b"a\n"
    with pytest.raises(ConnectionRefusedError):
        serving.connect()


def test_renamed_listener_keeps_its_socket(serving: Serving) -> None:
    serving.commit(SERVICES)
    serving.commit(replace(SERVICES, name="renamed", socket="it"))
    assert serving.connect().say(b"a\n").hear(2) == b"a\n"
    assert (serving.count(listener_counters.ACCEPTED), serving.count(listener_counters.ACCEPTED, "renamed")) == (0, 1)


def test_drain_finishes_replies_and_refuses_new_connections(serving: Serving) -> None:
    serving.commit(SERVICES)
    busy, idle = serving.connect().say(b"slow\n"), serving.connect().say(b"a\n")
    assert idle.hear(2) == b"a\n"
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 2)
    serving.call(serving.listeners.drain)
    assert (idle.hear_all(), busy.hear_all()) == (b"", b"slow\n")
    idle.close()
    busy.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 2
    with pytest.raises(ConnectionRefusedError):
        serving.connect()


def test_request_received_before_a_drain_is_answered(serving: Serving) -> None:
    serving.commit(SERVICES)
    clients = [serving.connect().say(b"a\n") for _ in range(3)]
    assert [client.hear(2) for client in clients] == [b"a\n"] * 3

    def speak_and_drain() -> None:
        for client in clients:
            client.say(b"b\n")
        serving.listeners.drain()  # in the same turn of the loop, before any client can have read it

    serving.call(speak_and_drain)
    assert [client.hear_all() for client in clients] == [b"b\n"] * 3


@WITH_RST
def test_abort_resets_all_connections(serving: Serving) -> None:
    serving.commit(SERVICES)
    clients = [serving.connect().say(b"a\n") for _ in range(3)]
    assert [client.hear(2) for client in clients] == [b"a\n"] * 3
    serving.call(serving.listeners.abort)
    for client in clients:
        with pytest.raises(ConnectionResetError):
            client.hear_all()
    assert serving.closed(CloseReason.ABORTED) == 3


def test_connection_past_max_connections_is_closed_and_counted(serving: Serving) -> None:
    serving.commit(replace(SERVICES, limits=Limits(max_connections=2)))
    clients = [serving.connect().say(b"a\n") for _ in range(2)]
    assert [client.hear(2) for client in clients] == [b"a\n"] * 2
    assert serving.connect().hear_all() == b""
    clients[0].close()
    eventually(lambda: serving.count(listener_counters.OPEN) == 1)
    assert serving.connect().say(b"a\n").hear(2) == b"a\n"
    assert (serving.count(listener_counters.ACCEPTED), serving.count(listener_counters.REJECTED)) == (3, 1)


def test_adopted_sockets_are_served_until_released(serving: Serving) -> None:
    serving.commit(SERVICES)
    other = socket.create_server(("127.0.0.1", 0))
    serving.addresses["adopted"] = other.getsockname()
    serving.call(serving.listeners.adopt, 1, {"it": other.dup()})
    assert serving.connect("adopted").say(b"a\n").hear(2) == b"a\n"
    serving.call(serving.listeners.release, 1)
    waiting = serving.connect("adopted").say(b"a\n")  # queues for its own worker
    accepted, _ = other.accept()
    assert accepted.recv(2) == b"a\n"
    accepted.close()
    waiting.close()
    other.close()


def test_clients_without_free_descriptors_wait_and_are_counted(serving: Serving) -> None:
    serving.commit(HELLO)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    waiting = serving.connect()
    eventually(lambda: serving.count(listener_counters.ACCEPTED) == 1)
    client = serving.connect  # its socket needs a descriptor itself, so the limit falls between connect and accept
    serving.call(lambda: None)
    try:

        def exhausted() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))

        async def connect_exhausted() -> None:
            # In the loop's thread: nothing is accepted between the connection and the limit.
            waiting_now.append(client().say(b"hi"))
            exhausted()

        waiting_now: list[object] = []
        asyncio.run_coroutine_threadsafe(connect_exhausted(), serving.loop).result(10)
        emfile = listener_counters.ACCEPT_FAILED + listener_counters.ACCEPT_ERROR_NAMES.index("EMFILE")
        eventually(lambda: serving.count(emfile) > 0)
        assert serving.count(emfile) < 50
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert serving.clients[-1].hear_all() == b"Hello, World!"
    waiting.close()
