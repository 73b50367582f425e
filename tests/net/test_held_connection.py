"""`accept` in a worker: CLOSE, RESET and HOLD on both engines and loops, and queued connections at a switch."""

import asyncio
import socket
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.framing import Read
from answerback.core.plan import Accept, Limits, ListenerPlan, Plan, Rule
from answerback.core.selection import Rules
from answerback.core.session.script import HANG_SECONDS
from answerback.net import held_connection
from answerback.shared import listener_counters
from tests.net.conftest import Client, Serving
from tests.waiting import eventually

ECHO = ListenerPlan("it", "", framing=Read(1024), on_request=Rules([Rule("echo", 5000, (steps.echo(),))]))
GREETING = replace(ECHO, on_connect=Rules([Rule("greet", 5001, (steps.send(b"hello "),))]))


def accepting(accept: Accept, plan: ListenerPlan = ECHO, **limits: float) -> ListenerPlan:
    return replace(plan, accept=accept, limits=Limits(**limits))  # type: ignore[arg-type]


def hold(serving: Serving, plan: ListenerPlan = ECHO, **limits: float) -> Client:
    """A client that is held_connection, having said something."""
    serving.commit(accepting(Accept.HOLD, plan, **limits))
    client = serving.connect().say(b"hi")
    eventually(lambda: serving.count(listener_counters.OPEN) == 1)
    return client


def test_accept_close_closes_in_order_although_the_client_sends(serving: Serving) -> None:
    serving.commit(accepting(Accept.CLOSE, GREETING))
    client = serving.connect().say(b"x" * 1000)
    assert client.hear_all() == b""
    client.say(b"more").close()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_CLOSE) == serving.count(listener_counters.ACCEPTED) == 1
    assert serving.count(listener_counters.RECEIVED_BYTES) == 1004


def test_accept_reset_resets_each_connection(serving: Serving) -> None:
    serving.commit(accepting(Accept.RESET, GREETING))
    with pytest.raises(ConnectionResetError):
        serving.connect().hear(1)
    serving.settle()
    assert serving.closed(CloseReason.SERVER_RESET) == serving.count(listener_counters.ACCEPTED) == 1


def test_held_connection_is_not_read(serving: Serving) -> None:
    client = hold(serving)
    client.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.hear(1)
    assert serving.count(listener_counters.RECEIVED_BYTES) == 0


def test_held_connection_is_served_when_accept_is_normal_again(serving: Serving) -> None:
    client = hold(serving)
    serving.commit(GREETING)
    assert client.hear(8) == b"hello hi"
    client.say(b"again")
    assert client.hear(5) == b"again"


def test_held_connection_outlasts_switches_to_other_modes(serving: Serving) -> None:
    client = hold(serving)
    for accept in (Accept.CLOSE, Accept.RESET, Accept.STALL, Accept.REFUSE, Accept.HOLD):
        serving.commit(accepting(accept))
    assert serving.count(listener_counters.OPEN) == 1
    serving.commit(ECHO)
    assert client.hear(2) == b"hi"


def test_held_connection_is_closed_at_its_lifetime(serving: Serving) -> None:
    client = hold(serving, GREETING, lifetime=0.2)
    assert client.hear_all() == b""
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.MAX_LIFETIME) == 1


def test_held_connection_without_lifetime_is_closed_after_an_hour(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert HANG_SECONDS == 3600
    monkeypatch.setattr(held_connection, "HANG_SECONDS", 0.3)
    client = hold(serving)
    assert client.hear_all() == b""
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.MAX_LIFETIME) == 1


def test_held_connection_is_closed_in_order_by_a_drain(serving: Serving) -> None:
    client = hold(serving)
    serving.call(serving.listeners.drain)
    assert client.hear_all() == b""
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


def test_held_connection_is_closed_in_order_with_its_listener(serving: Serving) -> None:
    client = hold(serving)
    serving.commit()
    assert client.hear_all() == b""


def test_held_connection_is_reset_by_an_abort(serving: Serving) -> None:
    client = hold(serving)
    serving.call(serving.listeners.abort)
    with pytest.raises(ConnectionResetError):
        client.hear(1)
    assert serving.closed(CloseReason.ABORTED) == 1


def test_held_connection_reset_by_its_client_is_not_a_probe(serving: Serving) -> None:
    hold(serving).reset()
    serving.settle()
    assert serving.closed(CloseReason.PEER_GAVE_UP) == 1
    assert serving.count(listener_counters.PROBES) == 0


@pytest.mark.parametrize("said", [b"", b"x" * (16 << 10)], ids=["silent", "unread"])
def test_fin_of_held_connection_ends_it_at_once(serving: Serving, said: bytes) -> None:
    serving.commit(accepting(Accept.HOLD))
    client = serving.connect().say(said).finish()
    assert client.hear_all() == b""
    serving.settle()
    assert serving.closed(CloseReason.PEER_GAVE_UP) == 1
    assert serving.count(listener_counters.PROBES) == 0


def test_held_connection_counts_towards_the_limits(serving: Serving) -> None:
    first = hold(serving, max_connections_per_peer=1)
    with suppress(ConnectionResetError):  # closed with something unread
        assert serving.connect().say(b"x").hear_all() == b""
    assert serving.count(listener_counters.REJECTED + 1) == 1
    serving.commit(accepting(Accept.NORMAL, max_connections_per_peer=1))
    assert first.hear(2) == b"hi"
    first.close()
    serving.settle()
    serving.connect().say(b"next").hear(4)


def test_connection_queued_at_an_accept_switch_is_accepted_as_before(serving: Serving) -> None:
    serving.commit(ECHO)
    busy, go_on = threading.Event(), threading.Event()

    def switch() -> None:
        busy.set()
        assert go_on.wait(10)
        serving.listeners.commit(Plan(2, {"it": serving.placed(accepting(Accept.RESET), "it")}), {})

    switching = threading.Thread(target=serving.call, args=(switch,))
    switching.start()
    assert busy.wait(10)
    queued = [serving.connect().say(b"hi") for _ in range(5)]
    go_on.set()
    switching.join()
    assert [client.hear(2) for client in queued] == [b"hi"] * 5


def test_socket_not_listening_is_not_accepted_from_until_it_listens(serving: Serving) -> None:
    serving.commit(ECHO)
    sock = next(iter(serving.listeners._acceptors.values())).sock
    for _ in range(2):
        serving.commit(accepting(Accept.REFUSE))
        serving.call(sock.shutdown, socket.SHUT_RDWR)
        with pytest.raises(ConnectionRefusedError):
            serving.connect()
        serving.call(sock.listen)
        serving.addresses["it"] = sock.getsockname()  # the kernel chose the port, and may choose another
        serving.commit(ECHO)
        assert serving.connect().say(b"hi").hear(2) == b"hi"
    assert (
        sum(serving.count(listener_counters.ACCEPT_FAILED + n) for n in range(len(listener_counters.ACCEPT_ERRORS)))
        == 0
    )


@pytest.mark.parametrize("accept", [Accept.RESET, Accept.CLOSE, Accept.HOLD, Accept.REFUSE])
def test_connection_queued_at_a_former_address_is_accepted_as_before(serving: Serving, accept: Accept) -> None:
    serving.commit(ECHO)
    busy, go_on = threading.Event(), threading.Event()

    def move() -> None:
        busy.set()
        assert go_on.wait(10)
        serving.listeners.commit(Plan(2, {"it": serving.placed(accepting(accept), "elsewhere")}), {})

    moving = threading.Thread(target=serving.call, args=(move,))
    moving.start()
    assert busy.wait(10)
    queued = [serving.connect().say(b"hi") for _ in range(5)]
    go_on.set()
    moving.join()
    assert [client.hear(2) for client in queued] == [b"hi"] * 5
    assert [client.say(b"on").hear(2) for client in queued] == [b"on"] * 5
    with pytest.raises(ConnectionRefusedError):
        serving.connect()


def test_replaced_worker_accepts_at_a_silent_address_until_it_stops(serving: Serving) -> None:
    serving.commit(ECHO)
    serving.call(serving.listeners.expect_syn_filters, ["it"])
    serving.commit()
    serving.call(lambda: serving.listeners.drain(succeeded=True))
    ended = asyncio.run_coroutine_threadsafe(serving.listeners.closed(), serving.loop)
    client = serving.connect().say(b"hi")
    assert client.hear(2) == b"hi"
    assert client.hear_all() == b""
    client.close()
    eventually(lambda: serving.count(listener_counters.OPEN) == 0)
    assert not ended.done()
    serving.call(serving.listeners.stop_accepting, ["it"])
    ended.result(10)
    with pytest.raises(ConnectionRefusedError):
        serving.connect()


def test_aborted_change_cancels_the_expected_silence(serving: Serving) -> None:
    serving.commit(ECHO)
    serving.call(serving.listeners.expect_syn_filters, ["it"])
    serving.call(serving.listeners.resume, {})
    serving.commit()
    with pytest.raises(ConnectionRefusedError):
        serving.connect()
