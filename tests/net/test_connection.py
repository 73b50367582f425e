"""What a driver does with its connection, looked at from within the loop's thread."""

from typing import Any

import pytest

from answerback.core.actions import Abort, CloseReason, Send
from answerback.core.plan import Engine
from tests.net.conftest import KINDS, Client, Serving
from tests.net.test_live_changes import ECHO, connection_of

COROUTINE = [kind for kind in KINDS if kind.startswith(Engine.COROUTINE.value)]


def answered(serving: Serving) -> tuple[Client, Any]:
    """A client that got a reply, and its connection."""
    serving.commit(ECHO)
    client = serving.connect().say(b"hi\n")
    assert client.hear(3) == b"hi\n"
    return client, connection_of(serving)


def test_abort_behind_output_resets_at_once_and_sends_nothing(serving: Serving) -> None:
    client, connection = answered(serving)
    serving.call(connection._perform, [Send(b"never"), Abort(CloseReason.ABORTED)])
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.ABORTED) == 1


def test_turn_handles_a_deadline_that_has_come(serving: Serving) -> None:
    client, connection = answered(serving)

    def turn() -> bool:
        connection.session.active_at -= 3600.0
        connection.session.deadline = 0.0
        connection.run_turn()
        return bool(connection.session.awaits_fin)

    assert serving.call(turn), "in this turn, not by another timer"
    assert client.hear_all() == b""
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.IDLE_TIMEOUT) == 1


def test_input_that_waits_for_its_turn_is_answered_in_it(serving: Serving) -> None:
    client, connection = answered(serving)
    serving.call(connection.enqueue)
    assert client.say(b"first\n").hear(6) == b"first\n"
    assert client.say(b"second\n").hear(7) == b"second\n"
