"""Removed listeners with open connections, failing connections, and the limits of an acceptor."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.context import RequestContext
from answerback.core.framing import Line
from answerback.core.plan import Accept, Limits, ListenerPlan, Plan, Rule
from answerback.core.selection import Rules
from answerback.net import acceptor as acceptors
from answerback.net.acceptor import BATCH, SHORTAGES, Acceptor
from answerback.shared import listener_counters
from tests.net.conftest import KINDS, Client, Serving, each_of
from tests.waiting import eventually

SPARE = 5000


def fail(_turn: RequestContext) -> Any:
    raise RuntimeError("a fault on purpose")


def plan(name: str = "it") -> ListenerPlan:
    rules = [
        Rule("stuck", SPARE, (steps.send(b"begun\n"), steps.delay_fixed(3600)), lambda request, _: request == b"stuck"),
        Rule("failing", SPARE + 1, (fail,), lambda request, _: request == b"fail"),
        Rule("echo", SPARE + 2, (steps.echo(), steps.send(b"\n"))),
    ]
    return ListenerPlan(name, "", framing=Line(keep_ending=False), on_request=Rules(rules))


serving = each_of([kind for kind in KINDS if kind.endswith("uvloop")])


def stuck(serving: Serving, key: str = "it") -> Client:
    client = serving.connect(key).say(b"stuck\n")
    assert client.hear(6) == b"begun\n"
    return client


def is_reset(client: Client) -> bool:
    try:
        client.hear_all()
    except ConnectionResetError:
        return True
    return False


# ── Removed, and not yet gone ───────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def leaving(serving: Serving) -> Client:
    """A connection in the middle of its reply, whose listener has been removed."""
    serving.commit(plan(), plan("other"))
    client = stuck(serving)
    serving.commit(plan("other"))
    return client


def test_connections_of_a_removed_listener_are_counted_until_they_end(serving: Serving, leaving: Client) -> None:
    assert serving.call(lambda: serving.listeners.open_connections) == 1
    assert serving.call(lambda: len(serving.listeners._leaving)) == 1
    leaving.reset()
    serving.settle()
    assert serving.call(lambda: serving.listeners.open_connections) == 0
    eventually(lambda: not serving.listeners._leaving, what="the listener is forgotten")
    assert serving.closed(CloseReason.PEER_RESET) == 1


def test_abort_resets_connections_of_a_removed_listener(serving: Serving, leaving: Client) -> None:
    serving.call(serving.listeners.abort)
    assert is_reset(leaving)
    assert serving.closed(CloseReason.ABORTED) == 1


def test_drain_includes_connections_of_a_removed_listener(
    serving: Serving,
    leaving: Client,  # noqa: ARG001 - it is there
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (removed,) = serving.listeners._leaving
    told: list[object] = []
    monkeypatch.setattr(removed._drain, "_drain_one", told.append)
    serving.call(serving.listeners.drain)
    assert len(told) == 1


def test_waiting_for_closed_connections_ends_with_the_last(serving: Serving) -> None:
    serving.commit(plan(), plan("other"))
    first, second, third = stuck(serving), stuck(serving), stuck(serving, "other")
    closed = serving.call(lambda: serving.loop.create_task(serving.listeners.closed()))
    for client, name, left in ((first, "it", 1), (second, "it", 0), (third, "other", 0)):
        assert not closed.done()
        client.reset()
        eventually(lambda name=name, left=left: serving.count(listener_counters.OPEN, name) == left)  # type: ignore[misc]
        serving.call(lambda: None)
    eventually(closed.done)


def test_listener_added_again_continues_its_counters(serving: Serving, leaving: Client) -> None:
    serving.addresses.pop("it")
    serving.commit(plan(), plan("other"))
    assert serving.connect().say(b"a\n").hear(2) == b"a\n"
    assert (serving.count(listener_counters.ACCEPTED), serving.count(listener_counters.OPEN)) == (2, 2)
    leaving.reset()
    eventually(lambda: serving.count(listener_counters.OPEN) == 1)


# ── Failures ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_session_error_resets_only_its_connection_and_is_counted(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    serving.commit(plan())
    other = serving.connect().say(b"a\n")
    assert other.hear(2) == b"a\n"
    assert is_reset(serving.connect().say(b"fail\n"))
    eventually(lambda: serving.closed(CloseReason.INTERNAL_ERROR) == 1)
    assert serving.count(listener_counters.SESSION_ERRORS) == 1
    assert [(each.message, vars(each)["listener"]) for each in caplog.records if each.levelname == "ERROR"] == [
        ("session failed, connection aborted", "it")
    ]
    assert other.say(b"b\n").hear(2) == b"b\n"


@pytest.mark.parametrize("ending, reason", [("reset", CloseReason.PEER_RESET), ("finish", CloseReason.PEER_EOF)])
@pytest.mark.parametrize("said", [b"", b"a\n"])
def test_client_that_leaves_without_a_byte_counts_as_a_probe(
    serving: Serving, ending: str, reason: CloseReason, said: bytes
) -> None:
    serving.commit(plan())
    client = serving.connect()
    eventually(lambda: serving.count(listener_counters.ACCEPTED) == 1)
    if said:
        assert client.say(said).hear(2) == b"a\n"
    getattr(client, ending)()
    eventually(lambda: serving.closed(reason) == 1)
    assert serving.count(listener_counters.PROBES) == (said == b"")


# ── The acceptor ────────────────────────────────────────────────────────────────────────────────────────────────────
class Queue:
    """A listening socket as an acceptor sees it: what accept(2) says, one after another."""

    family = socket.AF_UNIX

    def __init__(self, *said: int) -> None:
        self.said = list(said)
        self.ours, self.theirs = socket.socketpair()

    def setblocking(self, _flag: bool) -> None:
        pass

    def fileno(self) -> int:
        return self.theirs.fileno()

    def _accept(self) -> tuple[int, str]:
        number = self.said.pop(0) if self.said else errno.EAGAIN
        if number == 0:
            return os.open(os.devnull, os.O_RDONLY), ""
        raise OSError(number, os.strerror(number))

    def poll(self, _timeout: int) -> bool:
        return bool(self.said)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def accepting(serving: Serving) -> Iterator[Callable[..., tuple[Acceptor, list[str]]]]:
    """An acceptor in the loop of `serving` whose queue says these errnos (0: a connection), and what it told."""
    made: list[tuple[Acceptor, Queue]] = []

    def accept(*said: int) -> tuple[Acceptor, list[str]]:
        queue, told = Queue(*said), []

        def accepted(descriptor: int, _family: int, _address: object) -> None:
            os.close(descriptor)
            told.append("accepted")

        acceptor: Acceptor = serving.call(lambda: Acceptor(serving.loop, queue, accepted, told.append))  # type: ignore[arg-type]
        acceptor._queue = queue  # type: ignore[assignment]
        made.append((acceptor, queue))
        return acceptor, told

    yield accept
    for acceptor, queue in made:
        serving.call(acceptor.stop)
        queue.close()


def test_client_gone_before_accept_is_counted_and_the_next_accepted(
    serving: Serving, accepting: Callable[..., tuple[Acceptor, list[str]]]
) -> None:
    acceptor, told = accepting(errno.ECONNABORTED, 0, errno.EPERM, 0)
    assert serving.call(acceptor._accept_queued, 10) is False
    assert told == ["ECONNABORTED", "accepted", "EPERM", "accepted"]


@pytest.mark.parametrize("number", sorted(SHORTAGES))
def test_accept_without_resources_backs_off(
    serving: Serving,
    accepting: Callable[..., tuple[Acceptor, list[str]]],
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acceptors, "BACK_OFF_SECONDS", 3600.0)
    acceptor, told = accepting(number, 0)
    assert serving.call(acceptor._accept_queued, 10) is False
    assert told == [errno.errorcode[number]]
    assert acceptor._backing_off is not None
    acceptor.sock.ours.send(b"readable")  # type: ignore[attr-defined]
    for _ in range(3):
        serving.call(lambda: None)
    assert told == [errno.errorcode[number]], "the loop does not look at it"
    serving.call(acceptor.pause)
    assert acceptor._backing_off is None, "a pause is for longer"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EBADF])
def test_acceptor_of_socket_no_longer_listening_stops(
    serving: Serving, accepting: Callable[..., tuple[Acceptor, list[str]]], number: int
) -> None:
    acceptor, told = accepting(number, 0)
    assert serving.call(acceptor._accept_queued, 10) is False
    assert not acceptor.accepting
    serving.call(acceptor.accept_backlog)
    assert told == [], "that is no failure to accept"


def test_acceptor_accepts_at_most_one_batch_per_turn(
    serving: Serving, accepting: Callable[..., tuple[Acceptor, list[str]]]
) -> None:
    acceptor, told = accepting(*[0] * (2 * BATCH + 1))
    serving.call(acceptor._ready)
    assert len(told) == BATCH
    serving.call(acceptor.accept_backlog)
    assert len(told) == 2 * BATCH + 1


def test_random_generator_restarts_only_if_the_seed_changes(serving: Serving) -> None:
    seeded = replace(plan(), random_seed=7)
    serving.commit(seeded)
    listener = serving.listeners._listeners["it"]
    first = listener.chance
    serving.commit(replace(seeded, limits=Limits(idle_timeout=7)))
    assert listener.chance is first
    serving.commit(replace(seeded, random_seed=8))
    assert listener.chance is not first
    assert listener.chance.random() == Random(8).random()


def test_adopted_socket_already_known_or_without_listener_is_closed(serving: Serving) -> None:
    serving.commit(plan())
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    serving.call(serving.listeners.adopt, 1, {"it": sockets[0]})
    serving.call(serving.listeners.adopt, 1, {"it": sockets[1], "nobody's": sockets[2]})
    assert [sock.fileno() >= 0 for sock in sockets] == [True, False, False]
    serving.call(serving.listeners.release, 0)
    assert serving.connect().say(b"a\n").hear(2) == b"a\n", "its own slot is never released"
    serving.call(serving.listeners.release, 1)
    assert sockets[0].fileno() < 0


def test_socket_adopted_during_a_drain_is_closed(serving: Serving) -> None:
    serving.commit(plan())
    serving.call(serving.listeners.drain)
    sock = socket.create_server(("127.0.0.1", 0))
    serving.call(serving.listeners.adopt, 1, {"it": sock})
    assert sock.fileno() < 0


def test_paused_listener_accepts_queued_clients_and_none_until_resumed(serving: Serving) -> None:
    serving.commit(plan(), plan("other"))
    early: list[Client] = []

    def come_and_pause() -> None:
        early.append(serving.connect().say(b"early\n"))
        serving.listeners.pause(["it"])

    serving.call(come_and_pause)
    assert early[0].hear(6) == b"early\n"
    late = serving.connect().say(b"late\n")
    assert serving.connect("other").say(b"a\n").hear(2) == b"a\n"
    assert serving.count(listener_counters.ACCEPTED) == 1
    serving.call(serving.listeners.resume, {})
    assert late.hear(5) == b"late\n"


def test_change_to_a_listener_ends_its_pause(serving: Serving) -> None:
    serving.commit(plan())
    serving.call(serving.listeners.pause, ["it"])
    client = serving.connect().say(b"a\n")
    changed = serving.placed(plan(), "it")
    serving.call(serving.listeners.commit, Plan(2, {"it": changed}), {})
    assert client.hear(2) == b"a\n"
    stalled = serving.placed(replace(plan(), accept=Accept.STALL), "it")
    serving.call(serving.listeners.pause, ["it"])
    serving.call(serving.listeners.commit, Plan(3, {"it": stalled}), {})
    serving.call(serving.listeners.resume, {})
    assert not next(iter(serving.listeners._acceptors.values())).accepting, "what was paused is forgotten"
