"""Connecting to an upstream: names, several addresses, time, and every way to fail."""

import asyncio
import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from answerback.core.actions import CloseReason
from answerback.core.plan import ListenerPlan
from answerback.core.upstream import Upstream
from answerback.net.relay import connector, resolver
from answerback.net.relay.connector import interleaved, refuse_itself
from answerback.net.relay.resolver import MAX_LOOKUPS, Address, Resolver
from answerback.shared import listener_counters
from answerback.shared.listener_counters import UPSTREAM_ERROR_NAMES
from tests.net.conftest import Serving
from tests.net.relay.upstreams import Server, relaying, within
from tests.ports import free_port
from tests.waiting import eventually

LOOP_TICK_SECONDS = 0.01
"""More than a timer of uvloop is early: it counts milliseconds from the beginning of the loop's turn."""

NAMED = Upstream("upstream.example", 4711, "", 5.0)


def failures(serving: Serving) -> dict[str, int]:
    """How often connecting failed, by the name of the error."""
    counts = {
        name: serving.count(listener_counters.UPSTREAM_FAILED + index)
        for index, name in enumerate(UPSTREAM_ERROR_NAMES)
    }
    return {name: count for name, count in counts.items() if count}


def assert_down(serving: Serving, error: str) -> None:
    """A client is reset, perhaps while it still connects, and it is counted why."""
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        serving.connect().say(b"anybody?").sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.UPSTREAM_DOWN) == 1
    assert failures(serving) == {error: 1}
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 0


@contextmanager
def unanswered() -> Iterator[Address]:
    """An address at which connecting takes forever: its queue is full."""
    with socket.socket() as full, ExitStack() as stack:
        full.bind(("127.0.0.1", free_port()))
        full.listen(0)
        stack.enter_context(socket.create_connection(full.getsockname(), 10))
        host, port = full.getsockname()
        yield socket.AF_INET, (host, port)


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> None:
    """Have every name stand for these addresses."""
    monkeypatch.setattr(resolver, "look_up", lambda _host, _port: list(addresses))


def test_client_is_reset_if_nothing_listens_at_the_upstream(serving: Serving) -> None:
    serving.commit(relaying(Upstream("127.0.0.1", free_port(), "", 5.0)))
    assert_down(serving, "ECONNREFUSED")


def test_client_is_reset_if_the_unix_socket_of_the_upstream_is_missing(serving: Serving, tmp_path: Path) -> None:
    serving.commit(relaying(Upstream("", 0, str(tmp_path / "nothing"), 5.0)))
    assert_down(serving, "ENOENT")


def test_client_is_reset_if_the_upstream_does_not_answer_in_time(serving: Serving) -> None:
    with unanswered() as (_, address):
        serving.commit(relaying(Upstream(address[0], address[1], "", 0.2)))
        assert_down(serving, "timeout")


def test_client_is_reset_if_the_name_does_not_resolve(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_host: str, _port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(resolver, "look_up", unknown)
    serving.commit(relaying(NAMED))
    assert_down(serving, "name")


def test_name_with_a_label_that_is_too_long_is_an_unknown_name() -> None:
    with pytest.raises(socket.gaierror):
        resolver.look_up("a" * 64 + ".example", 1)


def test_localhost_is_resolved(serving: Serving, server: Server) -> None:
    serving.commit(relaying(Upstream("localhost", server.upstream.port, "", 5.0)))
    client = serving.connect().say(b"hello")
    assert server.accept().hear(5) == b"hello"
    client.close()


def test_name_server_that_does_not_answer_blocks_no_other_connection(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    def slow(_host: str, _port: int) -> list[Address]:
        answer.wait(10)
        return []

    monkeypatch.setattr(resolver, "look_up", slow)
    serving.commit(relaying(within(NAMED, 0.5)))
    waiting = serving.connect()
    eventually(lambda: serving.count(listener_counters.OPEN) == 1)
    serving.commit(relaying(server.upstream))
    client = serving.connect().say(b"hello")
    assert server.accept().hear(5) == b"hello"
    with pytest.raises(ConnectionResetError):
        waiting.sock.recv(1)
    answer.set()
    assert failures(serving) == {"timeout": 1}
    client.close()


def test_second_address_is_used_if_the_first_one_refuses(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = server.upstream
    resolving(monkeypatch, (socket.AF_INET, ("127.0.0.1", free_port())), (socket.AF_INET, (good.host, good.port)))
    serving.commit(relaying(NAMED))
    client = serving.connect().say(b"hello")
    assert server.accept().hear(5) == b"hello"
    assert serving.count(listener_counters.UPSTREAM_CONNECTED) == 1
    assert failures(serving) == {}
    client.close()


def test_second_address_is_used_if_the_first_one_does_not_answer(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = server.upstream
    with unanswered() as hanging:
        resolving(monkeypatch, hanging, (socket.AF_INET, (good.host, good.port)))
        serving.commit(relaying(NAMED))
        client = serving.connect().say(b"hello")
        upstream = server.accept()
        assert upstream.hear(5) == b"hello"
        client.close()
        upstream.close()
        serving.settle()
    took = serving.count(listener_counters.UPSTREAM_NANOSECONDS) / 1e9
    assert took >= connector.ATTEMPT_DELAY_SECONDS - LOOP_TICK_SECONDS


def test_client_is_reset_for_the_last_error_if_every_address_fails(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, *((socket.AF_INET, ("127.0.0.1", free_port())) for _ in range(3)))
    serving.commit(relaying(NAMED))
    assert_down(serving, "ECONNREFUSED")


def test_families_are_tried_in_turn() -> None:
    six: list[Address] = [(socket.AF_INET6, ("::1", port, 0, 0)) for port in (1, 2, 3)]
    four: list[Address] = [(socket.AF_INET, ("127.0.0.1", port)) for port in (4, 5)]
    assert interleaved([*six, *four]) == [six[0], four[0], six[1], four[1], six[2]]
    assert interleaved([four[0], *six]) == [four[0], *six]


def test_socket_that_is_connected_to_itself_is_refused() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        with pytest.raises(ConnectionRefusedError):
            refuse_itself(sock)


def test_connections_that_wait_for_one_name_share_a_lookup_and_others_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    running, most = 0, 0
    lock = threading.Lock()
    answer = threading.Event()

    def look_up(host: str, port: int) -> list[Address]:
        nonlocal running, most
        with lock:
            asked.append(host)
            running += 1
            most = max(most, running)
        answer.wait(10)
        with lock:
            running -= 1
        return [(socket.AF_INET, (host, port))]

    monkeypatch.setattr(resolver, "look_up", look_up)

    async def resolve() -> None:
        it = Resolver()
        names = [f"host-{number}" for number in range(2 * MAX_LOOKUPS)]
        lookups = [asyncio.create_task(it.resolve(name, 1)) for name in names for _ in range(3)]
        await asyncio.to_thread(eventually, lambda: len(asked) == MAX_LOOKUPS)
        lookups[0].cancel()  # does not disturb those that wait for the same name
        answer.set()
        found = await asyncio.gather(*lookups[1:])
        assert [address[0][1][0] for address in found] == [name for name in names for _ in range(3)][1:]
        assert sorted(asked) == sorted(names)
        await it.resolve(names[0], 1)
        assert asked.count(names[0]) == 2, "a lookup is not kept"

    asyncio.run(resolve())
    assert most == MAX_LOOKUPS


def test_full_queue_of_a_unix_socket_is_waited_for(serving: Serving, tmp_path: Path) -> None:
    path = Path(f"/tmp/{tmp_path.name}-{threading.get_native_id()}")
    with socket.socket(socket.AF_UNIX) as full:
        full.bind(str(path))
        full.listen(0)
        full.settimeout(10)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            serving.commit(relaying(Upstream("", 0, str(path), 5.0)))
            client = serving.connect().say(b"hello")
            listener = next(iter(serving.listeners.named(["it"])))
            eventually(lambda: [each.waits_for for each in tuple(listener.connections)] == ["upstream"])
            full.accept()[0].close()
            with full.accept()[0] as upstream:
                upstream.settimeout(10)
                assert upstream.recv(5) == b"hello"
            client.close()
    path.unlink()


def test_client_that_resets_while_its_upstream_is_connected_to_ends_the_attempt(serving: Serving) -> None:
    """On COROUTINE the reset is noticed once the connection is relayed, or when connecting fails."""
    with unanswered() as (_, address):
        serving.commit(relaying(Upstream(address[0], address[1], "", 1.0)))
        client = serving.connect()
        eventually(lambda: serving.count(listener_counters.OPEN) == 1)
        client.reset()
        serving.settle()
    callback = serving.engine.value == "callback"
    expected = CloseReason.PEER_RESET if callback else CloseReason.UPSTREAM_DOWN
    assert serving.closed(expected) == 1
    assert failures(serving) == ({} if callback else {"timeout": 1})


def test_connection_without_a_descriptor_for_its_upstream_is_reset(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(_family: int) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    serving.commit(relaying(server.upstream))
    monkeypatch.setattr(connector, "new_socket", no_socket)
    assert_down(serving, "EMFILE")


def test_plan_without_an_upstream_is_not_counted_as_a_relay(serving: Serving, server: Server) -> None:
    serving.commit(ListenerPlan("it", ""))
    assert serving.count(listener_counters.RELAYS) == 0
    serving.commit(relaying(server.upstream))
    assert serving.count(listener_counters.RELAYS) == 1
