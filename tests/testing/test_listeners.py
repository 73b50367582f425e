"""What a test does with the fixtures."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from answerback.client import AlreadyExists, ConfigRejected, NotFound
from answerback.testing import Answerback, AsyncAnswerback, AsyncListener, Listener

PONG: list[dict[str, Any]] = [{"when": "PING", "do": [{"send": "+PONG\r\n"}]}]


def ask(listener: Listener | AsyncListener, request: bytes) -> bytes:
    """What comes back until the server closes, or nothing more can come."""
    with socket.create_connection(listener.address, 10) as peer:
        peer.sendall(request)
        peer.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: peer.recv(4096), b""))


def test_listener_answers_as_its_rules_say(answerback: Answerback) -> None:
    listener = answerback.listen(framing="line", rules=PONG)
    assert ask(listener, b"PING\r\n") == b"+PONG\r\n"
    assert listener.address == (listener.host, listener.port)
    assert listener.host == "127.0.0.1"
    assert repr(listener) == f"<Listener '{listener.name}' at 127.0.0.1:{listener.port}>"


def test_listeners_of_a_test_have_ports_of_their_own(answerback: Answerback) -> None:
    listeners = [answerback.listen(rules=[{"do": [{"send": f"{number}"}, "close"]}]) for number in range(5)]
    assert len({listener.port for listener in listeners}) == 5
    assert [ask(listener, b"hi") for listener in listeners] == [b"0", b"1", b"2", b"3", b"4"]


def test_any_field_of_a_listener_may_be_given(answerback: Answerback) -> None:
    listener = answerback.listen(
        name="my-own",
        framing={"delimiter": {"end": b"\xff"}},
        rules=[{"times": 1, "do": [{"send": b"\xfe"}]}, {"do": ["echo"]}],
        faults=[{"skip": 1, "truncate": {"bytes": 1}}],
        limits={"max_connections": 7},
        engine="COROUTINE",
        random_seed=1,
    )
    assert (listener.name, listener.status().engine) == ("my-own", "COROUTINE")
    assert ask(listener, b"ab\xffcd\xff") == b"\xfec"
    assert answerback.client.get_listener("my-own").listener["limits"] == {"max_connections": 7}
    with pytest.raises(AlreadyExists):
        answerback.listen(name="my-own")


def test_listener_on_ipv6(answerback: Answerback) -> None:
    listener = answerback.listen(address="[::1]:0", framing="line", rules=PONG)
    assert listener.host == "::1"
    assert ask(listener, b"PING\n") == b"+PONG\r\n"


def test_listener_on_a_unix_socket_has_a_path(answerback: Answerback, tmp_path: Path) -> None:
    listener = answerback.listen(address=f"unix:{tmp_path}/s", framing="line", rules=PONG)
    assert listener.path == f"{tmp_path}/s"
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(listener.path)
        peer.sendall(b"PING\n")
        assert peer.recv(99) == b"+PONG\r\n"
    with pytest.raises(AttributeError, match="see `path`"):
        _ = listener.address
    with pytest.raises(AttributeError, match="see `address`"):
        _ = answerback.listen().path


def test_rules_change_while_a_client_is_connected(answerback: Answerback) -> None:
    listener = answerback.listen(framing="line", rules=PONG)
    with socket.create_connection(listener.address, 10) as peer:
        peer.sendall(b"PING\n")
        assert peer.recv(99) == b"+PONG\r\n"
        listener.update(rules=[{"do": [{"send": "-LOADING\r\n"}]}])
        peer.sendall(b"PING\n")
        assert peer.recv(99) == b"-LOADING\r\n"
    assert ask(listener, b"x\n") == b"-LOADING\r\n", "the framing has stayed"


def test_counts_and_counters(answerback: Answerback) -> None:
    once = [{"times": 1, "do": [{"send": "first"}, "close"]}, {"do": [{"send": "later"}, "close"]}]
    listener = answerback.listen(rules=once)
    assert [ask(listener, b"x") for _ in range(3)] == [b"first", b"later", b"later"]
    status = listener.status()
    assert (status.connections_accepted, status.requests) == (3, 3)
    listener.reset_counters()
    assert ask(listener, b"x") == b"first"


def test_drained_listener_refuses_until_it_resumes(answerback: Answerback) -> None:
    listener = answerback.listen(framing="line", rules=PONG)
    with socket.create_connection(listener.address, 10) as peer:
        peer.sendall(b"PING\n")
        assert peer.recv(99) == b"+PONG\r\n"
        listener.drain()
        assert peer.recv(99) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.address, 10)
    listener.resume()
    assert ask(listener, b"PING\n") == b"+PONG\r\n"


def test_closed_listener_is_gone_and_may_be_closed_again(answerback: Answerback) -> None:
    listener, other = answerback.listen(rules=[{"do": ["echo"]}]), answerback.listen(rules=[{"do": ["echo"]}])
    listener.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.address, 10)
    with pytest.raises(NotFound):
        listener.update(rules=[])
    assert ask(other, b"x") == b"x"


def test_wrong_rules_are_rejected_with_their_place(answerback: Answerback) -> None:
    with pytest.raises(ConfigRejected) as rejected:
        answerback.listen(rules=[{"do": [{"sned": "x"}]}])
    assert str(rejected.value) == ("configuration rejected: rules[0].do[0].sned: no such field; did you mean send?")
    with pytest.raises(ConfigRejected, match=r"rules\[0\]\.do\[0\]\.send\.hex: odd number of digits"):
        answerback.listen(rules=[{"do": [{"send": {"hex": "123"}}]}])
    assert answerback.client.list_listeners() == []


@pytest.mark.asyncio(loop_factories=["uvloop", "asyncio"])
async def test_the_same_to_await(answerback_async: AsyncAnswerback) -> None:
    listener = await answerback_async.listen(framing="line", rules=PONG)
    reader, writer = await asyncio.open_connection(*listener.address)
    writer.write(b"PING\n")
    assert await reader.readline() == b"+PONG\r\n"
    await listener.update(rules=[{"times": 1, "do": [{"send": "changed\n"}]}, {"do": ["close"]}])
    writer.write(b"PING\n")
    assert await reader.readline() == b"changed\n"
    await listener.reset_counters()
    writer.write(b"PING\n")
    assert await reader.readline() == b"changed\n"
    assert (await listener.status()).requests == 3
    await listener.drain()
    assert await reader.read() == b""
    writer.close()
    await listener.resume()
    assert await asyncio.to_thread(ask, listener, b"x\n") == b""
    await listener.close()
    assert (await asyncio.to_thread(answerback_async.server.client.list_listeners)) == []
    assert (listener.host, repr(listener)) == ("127.0.0.1", repr(listener.blocking))


async def test_listeners_to_await_may_be_made_at_the_same_time(answerback_async: AsyncAnswerback) -> None:
    rules = [[{"do": [{"send": f"{number}"}, "close"]}] for number in range(5)]
    listeners = await asyncio.gather(*(answerback_async.listen(rules=each) for each in rules))
    found = await asyncio.gather(*(asyncio.to_thread(ask, each, b"x") for each in listeners))
    assert found == [b"0", b"1", b"2", b"3", b"4"]


def test_listeners_of_the_tests_before_are_gone(answerback: Answerback) -> None:
    assert answerback.client.list_listeners() == []
