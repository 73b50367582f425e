"""A drain gives clients that have just connected time for their first request."""

import threading
from dataclasses import replace

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.framing import Framing, Line, Read
from answerback.core.plan import Rule
from answerback.core.selection import Rules
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
    assert silent.hear_all() == b""


@pytest.mark.parametrize("asks, hears", [(b"a\n", b"a"), (b"a\nb\n", b"ab")], ids=["one", "two in one read"])
@pytest.mark.parametrize("cached", [False, True])
def test_client_just_connected_to_a_removed_listener_is_answered_once(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, asks: bytes, hears: bytes, cached: bool
) -> None:
    monkeypatch.setattr(drain, "FIRST_REQUEST_SECONDS", 600.0)
    serving.commit(replace(ECHO, framing=Line()))
    earlier = connected(serving)
    for _ in range(3 if cached else 0):  # a reply is cached when its request is seen for the second time
        assert earlier.say(asks).hear(len(hears)) == hears
    client = connected(serving)
    serving.commit()
    assert client.say(asks).hear_all() == hears


@pytest.mark.parametrize("framing", [Read(1024), Line()], ids=["read", "line"])
def test_greeting_in_progress_does_not_use_up_the_first_request(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, framing: Framing
) -> None:
    monkeypatch.setattr(drain, "FIRST_REQUEST_SECONDS", 600.0)
    greeting = Rule("greet", 5001, (steps.send(b"one "), steps.delay_fixed(0.05), steps.send(b"two ")))
    serving.commit(replace(ECHO, framing=framing, on_connect=Rules([greeting])))
    client = serving.connect()
    assert client.hear(4) == b"one "
    serving.commit()
    assert client.hear(4) == b"two "
    assert client.say(b"a\n").hear_all().strip() == b"a"


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
