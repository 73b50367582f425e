"""Changes while clients are connected or queued: engine, queue, order of a drain, and counters."""

import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from threading import Event

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.framing import Line
from answerback.core.plan import Accept, Engine, JournalSettings, Limits, ListenerPlan, Plan, Rule
from answerback.core.selection import Rules
from answerback.language.expressions import Scope, compile_template
from answerback.net.callback import CallbackConnection
from answerback.net.connection import Connection
from answerback.net.coroutine import CoroutineConnection
from answerback.net.listener import Listener
from answerback.net.listeners import Listeners
from answerback.shared import listener_counters
from tests.net.conftest import Client, Serving
from tests.ports import IPV6
from tests.waiting import eventually

BIG = b"0123456789abcdef" * (256 << 10)  # 4 MiB: more than the kernel takes
SPARE = 5000
TURNED_AWAY = listener_counters.REJECTED + listener_counters.REJECTION_NAMES.index("max_connections_per_peer")


def answering(*taken: steps.Step, **more: object) -> ListenerPlan:
    rule = Rule("rule", SPARE, taken)
    plan = ListenerPlan("it", "", framing=Line(keep_ending=False), on_request=Rules([rule]))
    return replace(plan, **more)  # type: ignore[arg-type]


ECHO = answering(steps.echo(), steps.send(b"\n"))


def listener_of(serving: Serving, name: str = "it") -> Listener:
    return serving.listeners._listeners[name]


def connection_of(serving: Serving) -> Connection:
    (connection,) = serving.call(lambda: tuple(listener_of(serving).connections))
    assert isinstance(connection, Connection)
    return connection


# ── Engines ─────────────────────────────────────────────────────────────────────────────────────────────────────────
DRIVERS = {Engine.CALLBACK: CallbackConnection, Engine.COROUTINE: CoroutineConnection}


@pytest.mark.parametrize("accept", [Accept.NORMAL, Accept.CLOSE])
def test_changed_engine_drives_new_connections_only(serving: Serving, accept: Accept) -> None:
    other = next(engine for engine in Engine if engine is not serving.engine)
    serving.commit(ECHO)
    first = serving.connect().say(b"a\n")
    assert first.hear(2) == b"a\n"
    former = connection_of(serving)
    assert isinstance(former, DRIVERS[serving.engine])
    serving.engine = other
    serving.commit(replace(ECHO, accept=accept))
    second = serving.connect()
    if accept is Accept.NORMAL:
        assert second.say(b"b\n").hear(2) == b"b\n"
    else:
        assert second.hear_all() == b""
    (latter,) = serving.call(lambda: listener_of(serving).connections - {former})
    assert isinstance(latter, DRIVERS[other])
    assert first.say(b"c\n").hear(2) == b"c\n"


def test_held_connection_is_served_by_the_current_engine(serving: Serving) -> None:
    other = next(engine for engine in Engine if engine is not serving.engine)
    serving.commit(replace(ECHO, accept=Accept.HOLD))
    client = serving.connect().say(b"a\n")
    eventually(lambda: serving.count(listener_counters.ACCEPTED) == 1)
    serving.engine = other
    serving.commit(ECHO)
    assert client.hear(2) == b"a\n"
    assert isinstance(connection_of(serving), DRIVERS[other])


# ── Queues ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def queue(serving: Serving, count: int, then: Callable[[], object]) -> list[Client]:
    """In one turn of the loop, without accepting: clients connect and send a line, then the action runs."""
    clients: list[Client] = []

    def turn() -> None:
        clients.extend(serving.connect().say(b"%d\n" % number) for number in range(count))
        then()

    serving.call(turn)
    return clients


# More than are accepted in one turn.
QUEUED = 70


@pytest.mark.parametrize("count", [1, QUEUED])
def test_client_queued_at_a_removed_listener_is_served(serving: Serving, count: int) -> None:
    serving.commit(ECHO)
    clients = queue(serving, count, lambda: serving.listeners.commit(Plan(2, {}), {}))
    for number, client in enumerate(clients):
        assert client.hear_all() == b"%d\n" % number
        client.close()
    serving.settle()
    assert serving.count(listener_counters.ACCEPTED) == serving.closed(CloseReason.DRAIN) == count


def test_input_that_waits_for_its_turn_is_answered_before_a_drain_closes(serving: Serving) -> None:
    serving.commit(ECHO)
    client = serving.connect().say(b"hi\n")
    assert client.hear(3) == b"hi\n"
    connection = connection_of(serving)

    def wait_and_drain() -> None:
        connection.enqueue()
        client.sock.sendall(b"again\n")
        connection.drain()

    serving.call(wait_and_drain)
    assert client.hear_all() == b"again\n"
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


def test_client_queued_at_a_drain_is_served(serving: Serving) -> None:
    serving.commit(ECHO)
    clients = queue(serving, QUEUED, serving.listeners.drain)
    for number, client in enumerate(clients):
        assert client.hear_all() == b"%d\n" % number
        client.close()
    serving.settle()
    assert serving.count(listener_counters.ACCEPTED) == serving.closed(CloseReason.DRAIN) == QUEUED


def test_silent_client_queued_at_a_drain_is_closed(serving: Serving) -> None:
    serving.commit(ECHO)

    def come_and_drain() -> None:
        serving.connect()
        serving.listeners.drain()

    serving.call(come_and_drain)
    assert serving.clients[0].hear_all() == b""
    serving.clients[0].close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


def test_silent_client_just_accepted_is_closed_by_a_drain(serving: Serving) -> None:
    serving.commit(ECHO)

    def come_and_drain() -> None:
        serving.connect()
        for acceptor in serving.listeners._acceptors.values():
            acceptor.accept_backlog()
        listener_of(serving).drain()

    serving.call(come_and_drain)
    assert serving.clients[0].hear_all() == b""
    serving.clients[0].close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


def test_client_queued_at_a_takeover_is_left_to_the_successor(serving: Serving) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    serving.addresses["it"] = listening.getsockname()
    plan = serving.placed(ECHO, "it")
    serving.call(serving.listeners.commit, Plan(1, {"it": plan}), {"it": listening.dup()})
    queue(serving, 1, lambda: serving.listeners.drain(succeeded=True))
    accepted, _ = listening.accept()
    with accepted, listening:
        assert accepted.recv(10) == b"0\n"
    assert serving.count(listener_counters.ACCEPTED) == 0


@pytest.mark.parametrize("accept", [Accept.CLOSE, Accept.RESET, Accept.HOLD, Accept.REFUSE])
def test_client_queued_at_an_accept_change_is_met_as_before(serving: Serving, accept: Accept) -> None:
    serving.commit(ECHO)
    changed = serving.placed(replace(ECHO, accept=accept), "it")
    clients = queue(serving, 3, lambda: serving.listeners.commit(Plan(2, {"it": changed}), {}))
    assert [client.hear(2) for client in clients] == [b"0\n", b"1\n", b"2\n"]


# ── The order of a drain ────────────────────────────────────────────────────────────────────────────────────────────
def test_drain_closes_the_oldest_connections_first(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    serving.commit(ECHO)
    for number in range(12):
        assert serving.connect().say(b"%x\n" % number).hear(2) == b"%x\n" % number
    listener = listener_of(serving)
    told: list[Connection] = []
    monkeypatch.setattr(listener._drain, "_drain_one", told.append)
    serving.call(listener.drain)
    assert [connection.peer for connection in told] == [client.sock.getsockname() for client in serving.clients]


def test_gradual_drain_closes_all_connections_unless_stopped(serving: Serving) -> None:
    serving.commit(ECHO)
    clients = [serving.connect().say(b"a\n") for _ in range(4)]
    assert [client.hear(2) for client in clients] == [b"a\n"] * 4
    listener = listener_of(serving)
    serving.call(listener.drain, 0.08)
    assert [client.hear_all() for client in clients] == [b""] * 4
    for client in clients:
        client.close()
    serving.settle()
    others = [serving.connect().say(b"a\n") for _ in range(4)]
    assert [client.hear(2) for client in others] == [b"a\n"] * 4

    def drain_and_stop() -> int:
        listener.drain(3600.0)
        waiting = len(listener._drain._schedule._waiting)
        listener.drain_no_more()
        return waiting - len(listener._drain._schedule._waiting)

    assert serving.call(drain_and_stop) == 4
    assert listener._drain._schedule._timer is None
    assert [client.say(b"b\n").hear(2) for client in others] == [b"b\n"] * 4


def test_client_that_a_stopped_drain_waited_for_stays_connected(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was given a moment to send its first request."""
    monkeypatch.setattr("answerback.net.drain.FIRST_REQUEST_SECONDS", 0.2)
    serving.commit(ECHO)
    client = serving.connect()
    listener, passed = listener_of(serving), Event()

    def come_and_drain() -> None:
        for acceptor in serving.listeners._acceptors.values():
            acceptor.accept_backlog()
        assert len(listener.connections) == 1
        listener.drain()

    def resume() -> None:
        listener.drain_no_more()
        serving.loop.call_later(0.3, passed.set)

    serving.call(come_and_drain)
    serving.call(resume)
    assert passed.wait(30)
    assert client.say(b"a\n").hear(2) == b"a\n"


# ── What is counted while the kernel takes no more ──────────────────────────────────────────────────────────────────
def blocked(serving: Serving, **limits: float) -> Client:
    """A client whose reply is more than the kernel takes, and which has read nothing."""
    plan = answering(steps.send(BIG), limits=Limits(**limits))  # type: ignore[arg-type]
    serving.commit(plan)
    client = serving.connect(receive_buffer=4096).say(b"a\n")
    eventually(lambda: connection_of(serving).session.blocked_since < float("inf"))
    return client


def test_bytes_received_while_the_kernel_is_blocked_are_counted(serving: Serving) -> None:
    client = blocked(serving).say(b"b\nc")
    eventually(lambda: serving.count(listener_counters.RECEIVED_BYTES) == 5)
    assert serving.count(listener_counters.REQUESTS) == 1
    assert client.finish().hear_all() == BIG + BIG
    client.close()
    serving.settle()
    assert serving.count(listener_counters.RECEIVED_BYTES) == 5
    assert serving.count(listener_counters.SENT_BYTES) == 2 * len(BIG)
    assert serving.closed(CloseReason.PEER_EOF) == serving.count(listener_counters.TRUNCATED) == 1


def test_connection_knows_the_bytes_of_all_its_reads_and_replies(serving: Serving) -> None:
    serving.commit(ECHO)
    client = serving.connect()
    for count in (1, 2, 3):
        client.say(b"ab\n")
        assert client.hear(3) == b"ab\n"
        connection = connection_of(serving)
        assert (connection.received_bytes, connection.sent_bytes) == (3 * count, 3 * count)


def test_bytes_are_counted_as_sent_when_the_kernel_accepts_them(serving: Serving) -> None:
    client = blocked(serving)
    taken = serving.count(listener_counters.SENT_BYTES)
    assert 0 < taken < len(BIG)
    heard = client.hear(taken)
    assert heard + client.hear(len(BIG) - taken) == BIG
    eventually(lambda: serving.count(listener_counters.SENT_BYTES) == len(BIG))


def test_write_timeout_is_not_restarted_by_received_bytes(serving: Serving) -> None:
    """Each byte heard has the COROUTINE engine look again whether there is room: that is no new beginning."""
    client = blocked(serving)
    connection = connection_of(serving)
    since = connection.session.blocked_since
    for number in range(1, 4):
        client.say(b"x")
        eventually(lambda number=number: serving.count(listener_counters.RECEIVED_BYTES) == 2 + number)  # type: ignore[misc]
        assert serving.call(lambda: connection.session.blocked_since) == since


# ── Addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────
FAMILIES = [("127.0.0.1", socket.AF_INET), pytest.param("::1", socket.AF_INET6, marks=IPV6)]


@pytest.mark.parametrize("host, family", FAMILIES)
def test_nagle_is_disabled_on_accepted_connections(serving: Serving, host: str, family: int) -> None:
    listening = socket.socket(family)
    listening.bind((host, 0))
    listening.listen(10)
    where = listening.getsockname()
    serving.addresses["it"] = where
    plan = serving.placed(ECHO, "it")
    serving.call(serving.listeners.commit, Plan(1, {"it": plan}), {"it": listening})
    with socket.create_connection(where[:2], timeout=10) as client:
        client.sendall(b"a\n")
        assert client.recv(2) == b"a\n"
        accepted = connection_of(serving).sock
        assert accepted.family == family
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection_of(serving).peer == client.getsockname()[:2]
        assert connection_of(serving).local_port == where[1]


@IPV6
def test_link_local_peer_is_counted_and_freed(serving: Serving) -> None:
    """The kernel names the zone of a link-local peer, as in fe80::1%eth0."""
    serving.commit(replace(ECHO, limits=Limits(max_connections_per_peer=1)))
    ours: list[socket.socket] = []

    listening = socket.create_server(("::1", 0), family=socket.AF_INET6)

    def come() -> None:
        ours.append(socket.create_connection(listening.getsockname()[:2]))
        accepted, _ = listening.accept()
        listener_of(serving).accepted(accepted.detach(), socket.AF_INET6, ("fe80::1%eth0", 4000, 0, 2))

    def counts() -> tuple[int, int]:
        return serving.count(listener_counters.ACCEPTED), serving.count(TURNED_AWAY)

    serving.call(come)
    serving.call(come)
    assert counts() == (1, 1)
    ours[0].close()
    eventually(lambda: serving.count(listener_counters.OPEN) == 0)
    serving.call(come)
    assert counts() == (2, 1)
    for sock in (listening, *ours):
        sock.close()
    serving.settle()


# ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_connection_ids_differ_within_a_worker_and_between_workers(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 4242)
    other = serving.call(lambda: Listeners(serving.loop, serving.memory, 0, 0))
    found = Counter(
        (each.process, each.next_connection_number()) for each in (serving.listeners, other) for _ in range(3)
    )
    assert len(found) == 6
    assert max(found.values()) == 1
    serving.call(other.poller.close)


def test_connections_are_numbered_in_the_order_of_accept_where_rules_use_it(serving: Serving) -> None:
    said = steps.send(compile_template("${connection.number}", Scope()))
    numbered = answering(said, numbers_connections=True)
    serving.commit(numbered)
    clients = [serving.connect() for _ in range(3)]
    eventually(lambda: serving.count(listener_counters.OPEN) == 3)
    assert [client.say(b"x\n").hear(1) for client in reversed(clients)] == [b"3", b"2", b"1"]
    assert clients[0].say(b"x\n").hear(1) == b"1", "it keeps its number"


def test_connections_draw_no_number_before_a_rule_uses_it(serving: Serving) -> None:
    serving.commit(answering(steps.send(b"x")))
    first, second = serving.connect(), serving.connect()
    assert first.say(b"x\n").hear(1) == second.say(b"x\n").hear(1) == b"x"
    said = steps.send(compile_template("${connection.number}", Scope()))
    serving.commit(answering(said, numbers_connections=True))
    third = serving.connect()
    eventually(lambda: serving.count(listener_counters.OPEN) == 3)
    assert third.say(b"x\n").hear(1) == b"1"
    assert second.say(b"x\n").hear(1) == b"2", "drawn when it is first used"


# ── The journal ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_listener_records_only_while_its_journal_is_enabled(serving: Serving) -> None:
    serving.commit(replace(ECHO, journal=JournalSettings(enabled=False)))
    client = serving.connect().say(b"a\n")
    assert client.hear(2) == b"a\n"
    assert connection_of(serving).session.recorder is None
    serving.commit(ECHO)
    client.say(b"b\n")
    assert client.hear(2) == b"b\n"
    assert connection_of(serving).session.recorder is not None
    serving.commit(replace(ECHO, journal=JournalSettings(enabled=False)))
    assert connection_of(serving).session.recorder is None
