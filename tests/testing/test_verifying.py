"""What a client has sent: verified, waited for, and shown."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from answerback.testing import (
    Answerback,
    AsyncAnswerback,
    EvidenceIncomplete,
    Listener,
    NotFulfilled,
)

PING = {"name": "ping", "when": "PING", "do": [{"send": b"+PONG\xff\r\n"}]}


@pytest.fixture
def listener(answerback: Answerback) -> Listener:
    return answerback.listen(framing="line", rules=[PING])


@pytest.fixture
def peer(listener: Listener) -> Iterator[socket.socket]:
    with socket.create_connection(listener.address, 10) as peer:
        yield peer


def test_requests_are_counted_by_bytes_text_or_condition(listener: Listener, peer: socket.socket) -> None:
    peer.sendall(b"PING\nPING\nPIN\xff\n")
    listener.wait_for(count=3)
    for match, times in (
        (b"PING", 2),
        ("PING", 2),
        ({"prefix": "PI"}, 3),
        (b"PIN\xff", 1),
        ({"suffix": b"\xff"}, 1),
        (None, 3),
        (b"x", 0),
    ):
        listener.verify(match, times=times)
        for wrong in (times + 1, times - 1):
            if wrong >= 0:
                with pytest.raises(AssertionError):
                    listener.verify(match, times=wrong)
        listener.verify(match, at_least=times)
        listener.verify(match, at_most=times)
        with pytest.raises(AssertionError):
            listener.verify(match, at_least=times + 1)
    with pytest.raises(AssertionError):
        listener.verify(b"PING", at_most=1)
    listener.verify(b"PING")


def test_failed_verification_shows_the_nearest_requests(listener: Listener, peer: socket.socket) -> None:
    peer.sendall(b"PING\n")
    listener.wait_for(b"PING")
    with pytest.raises(AssertionError) as failed:
        listener.verify(b"PONG")
    assert not isinstance(failed.value, EvidenceIncomplete)
    first, *others = str(failed.value).splitlines()
    assert "at least 1" in first
    assert [re.sub(r"connection \S+", "connection C", line) for line in others] == [
        "the nearest:",
        f"  {listener.name} connection C request 1",
        "    > 'PING'",
        r"    < '+PONG\xff\r\n'  (rule ping)",
        '    is not "PONG": byte 1 is "I", not "O"',
    ]


def test_too_many_requests_are_shown(listener: Listener, peer: socket.socket) -> None:
    peer.sendall(b"PING\n")
    listener.wait_for(b"PING")
    with pytest.raises(AssertionError, match="these match:\n") as failed:
        listener.verify(b"PING", times=0)
    assert "> 'PING'" in str(failed.value)


def test_waiting_ends_when_the_request_comes(listener: Listener, peer: socket.socket) -> None:
    later = threading.Timer(0.05, peer.sendall, (b"PING\nQUIT\n",))
    later.start()
    (found,) = listener.wait_for(b"QUIT", timeout=30)
    later.join()
    assert (found.request.data, found.number, found.listener) == (b"QUIT", 2, listener.name)


def test_wait_that_times_out_shows_the_nearest_requests(listener: Listener, peer: socket.socket) -> None:
    peer.sendall(b"PING\n")
    listener.wait_for(b"PING")
    with pytest.raises(TimeoutError) as failed:
        listener.wait_for(b"PINT", count=2, timeout=0.05)
    assert isinstance(failed.value, NotFulfilled)
    assert isinstance(failed.value, AssertionError)
    assert str(failed.value).startswith("0 of 2 requests within 0.05 s\nthe nearest:\n")
    assert 'is not "PINT": byte 3 is "G", not "T"' in str(failed.value)


def test_exchanges_are_in_order_with_replies_rules_and_faults(answerback: Answerback) -> None:
    listener = answerback.listen(framing="line", rules=[PING], faults=[{"name": "cut", "truncate": {"bytes": 2}}])
    with socket.create_connection(listener.address, 10) as peer:
        peer.sendall(b"nothing\nPING\n")
        assert peer.recv(99) == b"+P"
    first, second = listener.exchanges()
    assert (first.request.data, first.rule, first.reply.data) == (b"nothing", "", b"")
    assert (second.request.data, second.rule, second.reply.data, second.faults) == (b"PING", "ping", b"+P", ("cut",))
    assert [each.number for each in listener.exchanges({"contains": "IN"})] == [2]


def test_requests_since_a_mark(listener: Listener, peer: socket.socket) -> None:
    peer.sendall(b"PING\n")
    listener.wait_for(b"PING")
    mark = listener.mark()
    listener.verify(b"PING", times=0, since=mark)
    with pytest.raises(NotFulfilled):
        listener.wait_for(b"PING", timeout=0.01, since=mark)
    peer.sendall(b"PING\n")
    listener.wait_for(b"PING", since=mark)
    listener.verify(b"PING", times=1, since=mark)


def test_other_listeners_do_not_count(answerback: Answerback, listener: Listener, peer: socket.socket) -> None:
    other = answerback.listen(framing="line", rules=[PING])
    peer.sendall(b"PING\n")
    listener.wait_for(b"PING")
    other.verify(times=0)
    assert other.exchanges() == []


def test_evidence_that_was_dropped_leaves_it_unknown(answerback: Answerback) -> None:
    listener = answerback.listen(framing="line", rules=[PING], journal={"enabled": False})
    with socket.create_connection(listener.address, 10) as peer:
        peer.sendall(b"PING\n")
        peer.recv(99)
    with pytest.raises(EvidenceIncomplete) as failed:
        listener.verify(b"PING", times=1)
    assert isinstance(failed.value, AssertionError)
    assert str(failed.value).endswith("the journal of this listener has dropped:\nworker 0: 1 disabled")


def test_count_is_given_once(listener: Listener) -> None:
    with pytest.raises(ValueError, match="only one of exactly, at_most can be given"):
        listener.verify(times=1, at_most=2)


async def test_the_same_to_await(answerback_async: AsyncAnswerback) -> None:
    listener = await answerback_async.listen(framing="line", rules=[PING])
    reader, writer = await asyncio.open_connection(*listener.address)
    waiting = asyncio.create_task(listener.wait_for(b"PING", timeout=30))
    writer.write(b"PING\n")
    assert await reader.readline() == b"+PONG\xff\r\n"
    ((exchange,), mark) = (await waiting, await listener.mark())
    assert exchange.request.data == b"PING"
    await listener.verify(b"PING", times=1)
    await listener.verify(times=0, since=mark)
    assert [each.id for each in await listener.exchanges()] == [exchange.id]
    with pytest.raises(NotFulfilled):
        await listener.wait_for(b"QUIT", timeout=0.01)
    writer.close()
