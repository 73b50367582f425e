"""A drain gives clients that have just connected time for their first request."""

import threading

import pytest

from answerback.core.actions import CloseReason
from answerback.net import drain
from answerback.shared import listener_counters
from tests.net.conftest import Client, Serving
from tests.net.test_held_connection import ECHO
from tests.waiting import eventually


def connected(serving: Serving) -> Client:
    """A client that was accepted, and has said nothing."""
    before = serving.count(listener_counters.ACCEPTED)
    client = serving.connect()
    eventually(lambda: serving.count(listener_counters.ACCEPTED) > before)
    return client


def test_client_just_connected_to_a_removed_listener_is_answered(serving: Serving) -> None:
    serving.commit(ECHO)
    client = connected(serving)
    serving.commit()
    assert client.say(b"hi").hear(2) == b"hi"
    assert client.hear_all() == b"", "closed in order, once the moment is over"
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


def test_drained_client_that_has_had_a_reply_is_closed_at_once(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving.commit(ECHO)
    monkeypatch.setattr(drain, "FIRST_REQUEST_SECONDS", 600.0)
    silent, idle = connected(serving), connected(serving)
    assert idle.say(b"hi").hear(2) == b"hi"
    serving.call(serving.listeners.drain)
    assert idle.hear_all() == b""
    assert silent.say(b"hi").hear(2) == b"hi"


def test_drained_client_connected_long_ago_is_closed_at_once(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    serving.commit(ECHO)
    monkeypatch.setattr(drain, "FIRST_REQUEST_SECONDS", 0.0)
    client = connected(serving)
    serving.call(serving.listeners.drain)
    assert client.hear_all() == b""


def test_drained_client_without_a_request_is_closed_after_its_time(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving.commit(ECHO)
    monkeypatch.setattr(drain, "FIRST_REQUEST_SECONDS", 0.1)
    client = connected(serving)
    serving.commit()
    assert client.hear_all() == b""
    serving.settle()


def test_drain_taken_back_leaves_new_connections_open(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    serving.commit(ECHO)
    monkeypatch.setattr(drain, "FIRST_REQUEST_SECONDS", 0.2)
    client = connected(serving)
    (it,) = serving.listeners.named(["it"])
    serving.call(it.drain)
    serving.call(it.drain_no_more)
    over = threading.Event()
    serving.call(serving.loop.call_later, 0.4, over.set)
    assert over.wait(10)
    assert client.say(b"hi").hear(2) == b"hi"
