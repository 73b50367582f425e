"""A peer that leaves while a script hangs or waits: both engines, both loops, and Unix sockets."""

import socket
from collections.abc import Callable
from typing import Any, cast

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.faults import Fault, Hang
from answerback.core.framing import Line
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.core.session.reader import READ_AHEAD
from answerback.net.connection import Connection
from answerback.shared import listener_counters
from tests.net.conftest import KINDS, UNIX_KINDS, Client, Serving, each_of
from tests.waiting import eventually

LONG = 60.0  # no test waits so long
UNREAD = b"y" * (8 << 10)  # behind all that a session reads ahead; it fits into the kernel's receive buffer


serving = each_of([*KINDS, *UNIX_KINDS])


with_rst = pytest.mark.parametrize("serving", KINDS, indirect=True)  # a Unix socket has none


def plan(*taken: steps.Step, faults: tuple[Fault, ...] = (), **limits: float) -> ListenerPlan:
    return ListenerPlan(
        "it",
        "",
        framing=Line(keep_ending=False),
        on_request=Rules([Rule("rule", 5000, taken, has_faults=bool(faults))]),
        limits=Limits(**limits),  # type: ignore[arg-type]
        faults=faults,
    )


def asked(serving: Serving, behind: bytes = b"") -> Client:
    """A client whose request has been taken; `behind` is sent when no more is read, so that it stays unread."""
    client = serving.connect().say(b"a\n")
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 1)
    if behind:
        client.say(b"y" * READ_AHEAD)
        eventually(
            lambda: serving.count(listener_counters.RECEIVED_BYTES) == 2 + READ_AHEAD, what="all that is read ahead"
        )
    return client.say(behind)


@pytest.mark.parametrize("unread", [b"", UNREAD], ids=["read", "unread"])
@pytest.mark.parametrize(
    "hung", [plan(steps.hang()), plan(steps.echo(), faults=(Fault("hung", 5001, Hang(0)),))], ids=["step", "fault"]
)
def test_fin_ends_a_hang(serving: Serving, hung: ListenerPlan, unread: bytes) -> None:
    serving.commit(hung)
    client = asked(serving, unread).finish()
    assert client.hear_all() == b""
    assert serving.ended() == {CloseReason.PEER_GAVE_UP: 1}


@pytest.mark.parametrize("unread", [b"", UNREAD], ids=["read", "unread"])
@with_rst
def test_reset_ends_a_hang(serving: Serving, unread: bytes) -> None:
    serving.commit(plan(steps.hang()))
    asked(serving, unread).reset()
    assert serving.ended() == {CloseReason.PEER_GAVE_UP: 1}


@pytest.mark.parametrize("unread", [b"", UNREAD], ids=["read", "unread"])
def test_hang_that_ignores_a_fin_ends_at_its_lifetime(serving: Serving, unread: bytes) -> None:
    serving.commit(plan(steps.hang(ignore_fin=True), lifetime=0.5))
    asked(serving, unread).finish()
    assert serving.ended() == {CloseReason.MAX_LIFETIME: 1}


@pytest.mark.parametrize("unread", [b"", UNREAD], ids=["read", "unread"])
@with_rst
def test_reset_after_an_ignored_fin_ends_the_hang(serving: Serving, unread: bytes) -> None:
    serving.commit(plan(steps.hang(ignore_fin=True)))
    client = asked(serving, unread).finish()
    eventually(lambda: fin_noted(serving))
    client.reset()
    assert serving.ended() == {CloseReason.PEER_GAVE_UP: 1}


def fin_noted(serving: Serving) -> bool:
    (connection,) = serving.listeners._listeners["it"].connections
    assert isinstance(connection, Connection)
    return connection.session.fin_noted


@pytest.mark.parametrize("unread", [b"", UNREAD], ids=["read", "unread"])
@pytest.mark.parametrize(
    "wait",
    [lambda: steps.delay_fixed(0.3), lambda: steps.dribble(b"abc", size=1, gap=0.15)],
    ids=["delay", "dribble"],
)
def test_fin_during_a_wait_is_answered_with_the_rest_of_the_reply(
    serving: Serving, wait: Callable[[], steps.Step], unread: bytes
) -> None:
    serving.commit(plan(wait(), steps.send(b"owed"), steps.close()))
    client = asked(serving, unread).finish()
    assert client.hear_all() in (b"owed", b"abcowed")
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 1}


@pytest.mark.parametrize("fin", [False, True], ids=["open", "half-closed"])
@pytest.mark.parametrize("unread", [b"", UNREAD], ids=["read", "unread"])
@with_rst
def test_reset_during_a_delay_ends_the_connection(serving: Serving, fin: bool, unread: bytes) -> None:
    serving.commit(plan(steps.delay_fixed(LONG), steps.send(b"never")))
    client = asked(serving, unread)
    if fin:
        client.finish()
        eventually(lambda: fin_noted(serving))
    client.reset()
    assert serving.ended() == {CloseReason.PEER_RESET: 1}


def test_fin_during_a_delay_ends_the_hang_after_it(serving: Serving) -> None:
    serving.commit(plan(steps.delay_fixed(0.3), steps.send(b"owed"), steps.hang()))
    assert asked(serving, UNREAD).finish().hear_all() == b"owed"
    assert serving.ended() == {CloseReason.PEER_GAVE_UP: 1}


@pytest.mark.parametrize("ignore_fin", [False, True])
@pytest.mark.parametrize("unread", [b"", UNREAD], ids=["read", "unread"])
def test_drain_closes_a_hanging_connection_in_order(serving: Serving, ignore_fin: bool, unread: bytes) -> None:
    serving.commit(plan(steps.hang(ignore_fin=ignore_fin)))
    client = asked(serving, unread)
    serving.call(serving.listeners.drain)
    assert client.hear_all() == b""
    client.close()
    assert serving.ended() == {CloseReason.DRAIN: 1}


@with_rst
def test_half_closed_connection_causes_no_repeated_epoll_events(serving: Serving) -> None:
    """Both halves are closed, so epoll would report EPOLLHUP for as long as the script waits: it reports it once."""
    told = 0

    def count(ready: Callable[[int], None]) -> Callable[[int], None]:
        def counting(events: int) -> None:
            nonlocal told
            told += 1
            ready(events)

        return counting

    serving.commit(plan(steps.half_close(), steps.delay_fixed(0.4)))
    client = asked(serving)
    (connection,) = serving.listeners._listeners["it"].connections
    assert isinstance(connection, Connection)
    dispatch = serving.listeners.poller._by_descriptor
    client.finish()
    eventually(lambda: fin_noted(serving))
    fd = connection.sock.fileno()
    eventually(lambda: fd in dispatch, what="the connection is watched")
    watcher = dispatch[fd]

    class Counting:
        ready = staticmethod(count(watcher.ready))

    dispatch[fd] = cast("Any", Counting())
    assert client.hear_all() == b""
    assert serving.ended() == {CloseReason.PEER_EOF: 1}
    assert told <= 3


def test_hung_connections_ended_in_any_way_are_counted_as_given_up(serving: Serving) -> None:
    serving.commit(plan(steps.hang()))
    clients = [serving.connect().say(b"a\n") for _ in range(30)]
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 30)
    for number, client in enumerate(clients):
        if number % 3 == 0:
            client.finish()
        elif number % 3 == 1:
            client.sock.shutdown(socket.SHUT_RDWR)
        else:
            client.close()
    assert serving.ended() == {CloseReason.PEER_GAVE_UP: 30}
