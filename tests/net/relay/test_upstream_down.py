"""Rules on UPSTREAM_DOWN, and connecting when the first request is forwarded."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from answerback.core.actions import CloseReason
from answerback.shared import listener_counters
from tests.net.conftest import Serving
from tests.net.relay.rules import PING, matches, ruled
from tests.net.relay.upstreams import Server
from tests.ports import free_port
from tests.waiting import eventually

ON_FORWARD = ", connect: ON_FORWARD"
DOWN = '{name: down, event: UPSTREAM_DOWN, do: [send: {template: "down: ${upstream.error}\\n"}]}'


@pytest.fixture
def nothing() -> Iterator[str]:
    """An address at which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", free_port()))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def failures(serving: Serving) -> int:
    return sum(
        serving.count(listener_counters.UPSTREAM_FAILED + index)
        for index, _ in enumerate(listener_counters.UPSTREAM_ERROR_NAMES)
    )


def test_rule_answers_the_client_of_a_stream_in_place_of_the_reset(serving: Serving, nothing: str) -> None:
    serving.commit(ruled(serving, nothing, DOWN, framing=""))
    client = serving.connect()
    assert client.hear_all() == b"down: ECONNREFUSED\n"
    client.close()
    assert serving.ended() == {CloseReason.UPSTREAM_DOWN: 1}
    assert matches(serving, "down") == failures(serving) == 1


def test_rule_for_a_stream_sees_nothing_of_what_passes(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, DOWN, framing=""))
    client = serving.connect()
    upstream = server.accept()
    client.say(b"question").finish()
    assert upstream.hear_all() == b"question"
    upstream.say(b"answer").finish()
    assert client.hear_all() == b"answer"
    assert serving.ended() == {CloseReason.PEER_EOF: 1}
    assert serving.count(listener_counters.REQUESTS) == matches(serving, "down") == 0


def test_script_for_a_stream_may_wait_and_reset(serving: Serving, nothing: str) -> None:
    slow = '{event: UPSTREAM_DOWN, do: [send: "wait\\n", delay: 50ms, reset]}'
    serving.commit(ruled(serving, nothing, slow, framing=""))
    client = serving.connect()
    client.say(b"early")
    assert client.hear(5) == b"wait\n"
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    assert serving.ended() == {CloseReason.SERVER_RESET: 1}


@pytest.mark.parametrize("framing", ["", "line"])
def test_client_is_reset_where_no_rule_matches(serving: Serving, nothing: str, framing: str) -> None:
    never = '{event: UPSTREAM_DOWN, when: {expr: "peer.port == 0"}, do: [send: "down\\n"]}'
    serving.commit(ruled(serving, nothing, never, *([PING] if framing else []), framing=framing))
    with pytest.raises(ConnectionResetError):  # of connect(2), if the reset comes before it returns
        serving.connect().sock.recv(1)
    assert serving.ended() == {CloseReason.UPSTREAM_DOWN: 1}


def test_conversation_goes_on_without_the_upstream(serving: Serving, nothing: str) -> None:
    """The rule on UPSTREAM_DOWN does not close: other rules answer, and each request that is forwarded tries again."""
    serving.commit(ruled(serving, nothing, PING, DOWN))
    client = serving.connect()
    assert client.hear(19) == b"down: ECONNREFUSED\n"
    client.say(b"PING\n")
    assert client.hear(5) == b"PONG\n"
    client.say(b"GET a\nPING\n")
    assert sorted(client.hear(24).splitlines()) == [b"PONG", b"down: ECONNREFUSED"]
    client.say(b"GET a\n")
    assert client.hear(19) == b"down: ECONNREFUSED\n"
    client.finish()
    assert client.hear_all() == b""
    assert serving.ended() == {CloseReason.PEER_EOF: 1}
    assert failures(serving) == matches(serving, "down") == 3


def test_upstream_is_connected_when_the_first_request_is_forwarded(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, more=ON_FORWARD))
    client = serving.connect()
    client.say(b"PING\n")
    assert client.hear(5) == b"PONG\n"
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 0
    client.say(b"GET a\nPING\nGET b\n")
    upstream = server.accept()
    assert upstream.hear(12) == b"GET a\nGET b\n"
    assert client.hear(5) == b"PONG\n"
    upstream.say(b"1\n2\n").finish()
    assert client.hear_all() == b"1\n2\n"
    client.close()
    assert serving.ended() == {CloseReason.UPSTREAM_EOF: 1}
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 1


def test_connection_that_forwards_nothing_ends_without_an_upstream(serving: Serving, nothing: str) -> None:
    serving.commit(ruled(serving, nothing, PING, more=ON_FORWARD))
    client = serving.connect()
    client.say(b"PING\n").finish()
    assert client.hear_all() == b"PONG\n"
    assert serving.ended() == {CloseReason.PEER_EOF: 1}
    assert failures(serving) == 0


def test_request_and_fin_at_once_are_forwarded(serving: Serving, server: Server) -> None:
    serving.commit(ruled(serving, server, PING, more=ON_FORWARD))
    client = serving.connect()
    client.say(b"GET a\n").finish()
    upstream = server.accept()
    assert upstream.hear_all() == b"GET a\n"
    upstream.say(b"1\n").finish()
    assert client.hear_all() == b"1\n"
    assert serving.ended() == {CloseReason.PEER_EOF: 1}


def test_request_and_fin_at_once_are_reset_where_the_upstream_is_down(serving: Serving, nothing: str) -> None:
    serving.commit(ruled(serving, nothing, PING, more=ON_FORWARD))
    client = serving.connect()
    with pytest.raises(OSError) as problem:
        client.say(b"GET a\n").finish().sock.recv(1)
    assert problem.value.errno in {errno.ECONNRESET, errno.ENOTCONN}, "it was reset, maybe before our FIN"
    assert serving.ended() == {CloseReason.UPSTREAM_DOWN: 1}


def test_script_behind_a_request_that_cannot_be_forwarded_is_not_continued(serving: Serving, nothing: str) -> None:
    late = '{when: {prefix: GET}, do: [forward, delay: 10s, send: "never\\n"]}'
    closing = '{event: UPSTREAM_DOWN, do: [send: "down\\n", close]}'
    serving.commit(ruled(serving, nothing, late, closing, more=ON_FORWARD))
    client = serving.connect()
    client.say(b"GET a\n")
    assert client.hear_all() == b"down\n"
    client.close()
    assert serving.ended() == {CloseReason.SERVER_CLOSE: 1}


def test_upstream_that_comes_back_gets_the_next_request(serving: Serving) -> None:
    address = ("127.0.0.1", free_port())
    serving.commit(ruled(serving, f"127.0.0.1:{address[1]}", DOWN, PING, more=ON_FORWARD))
    client = serving.connect()
    client.say(b"GET a\n")
    assert client.hear(19) == b"down: ECONNREFUSED\n"
    with socket.create_server(address) as listening:
        listening.settimeout(10)
        client.say(b"GET b\n")
        upstream, _ = listening.accept()
        with upstream:
            upstream.settimeout(10)
            assert upstream.recv(6, socket.MSG_WAITALL) == b"GET b\n"


def test_client_that_leaves_while_the_upstream_is_awaited_ends_both(serving: Serving, server: Server) -> None:
    """The upstream's queue is full, so that connecting hangs."""
    server.sock.listen(0)
    address = server.sock.getsockname()
    with ExitStack() as filling:
        for _ in range(3):
            waiting = filling.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        serving.commit(ruled(serving, server, PING, more=", connect: ON_FORWARD, connect_timeout: 10m"))
        client = serving.connect()
        client.say(b"GET a\n")
        eventually(lambda: serving.count(listener_counters.REQUESTS) == 1)
        connection = next(iter(next(iter(serving.listeners.named(["it"]))).connections))
        eventually(lambda: serving.call(lambda: connection.waits_for) == "upstream")
        serving.call(connection.abort, CloseReason.ABORTED)
        assert serving.ended() == {CloseReason.ABORTED: 1}
