"""Frames over a socketpair: whole, split, large, with sockets, and at the end of a link."""

import asyncio
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from answerback import link
from answerback.internal.v1.link_pb2 import Command, Commit, Drain, File, Prepare
from answerback.link import HEADER, Link, MessageTooLarge, Received
from tests.descriptors import descriptors

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop", "asyncio"])


def page(size: int) -> File:
    return File(name="page", data=os.urandom(size))


class End:
    """One end of a link, and what it heard."""

    def __init__(self, sock: socket.socket, **options: object) -> None:
        self.heard: list[Received[Command]] = []
        self.closed = False
        self._news = asyncio.Event()
        self.link = Link(sock, Command, self._received, self._ended, **options)  # type: ignore[arg-type]

    def _received(self, received: Received[Command]) -> None:
        self.heard.append(received)
        self._news.set()

    def _ended(self) -> None:
        assert not self.closed
        self.closed = True
        self._news.set()

    async def until(self, count: int) -> list[Received[Command]]:
        while len(self.heard) < count and not self.closed:
            self._news.clear()
            await self._news.wait()
        return self.heard

    async def until_closed(self) -> None:
        while not self.closed:
            self._news.clear()
            await self._news.wait()


Ends = tuple[End, socket.socket]
Pair = tuple[End, End]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    """Both ends; the second is raw."""
    near, far = socket.socketpair()
    end = End(near)
    yield end, far
    end.link.close()
    far.close()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    near, far = socket.socketpair()
    one, other = End(near), End(far)
    yield one, other
    one.link.close()
    other.link.close()


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    made = [socket.socket() for _ in range(450)]
    yield made
    for sock in made:
        sock.close()


def commit(revision: int) -> Command:
    return Command(commit=Commit(revision=revision))


def frame(order: Command) -> bytes:
    content = order.SerializeToString()
    return HEADER.pack(len(content), 0, 0) + content


def close(received: Received[Command]) -> None:
    for sock in received.sockets:
        sock.close()


async def test_link_messages_arrive_complete_and_in_order(pair: Pair) -> None:
    one, other = pair
    orders = [commit(1), Command(), Command(drain=Drain()), commit(2)]
    for order in orders:
        one.link.send(order)
    assert [received.message for received in await other.until(4)] == orders


async def test_link_carries_messages_in_both_directions(pair: Pair) -> None:
    one, other = pair
    one.link.send(commit(1))
    other.link.send(commit(2))
    assert (await one.until(1))[0].message == commit(2)
    assert (await other.until(1))[0].message == commit(1)


async def test_link_frame_split_anywhere_is_received(ends: Ends) -> None:
    end, far = ends
    for index, byte in enumerate(frame(commit(300)) * 2):
        far.send(bytes([byte]))
        if index % 3 == 0:
            await asyncio.sleep(0)
    assert [received.message for received in await end.until(2)] == [commit(300)] * 2


async def test_link_frames_received_together_are_separated(ends: Ends) -> None:
    end, far = ends
    far.send(frame(commit(1)) + frame(Command()) + frame(commit(2)))
    assert [received.message for received in await end.until(3)] == [commit(1), Command(), commit(2)]


async def test_link_message_larger_than_a_socket_buffer_arrives(pair: Pair) -> None:
    one, other = pair
    large = Command(prepare=Prepare(files=[page(17 << 20)]))
    one.link.send(large)
    one.link.send(commit(1))
    heard = await other.until(2)
    assert heard[0].message == large
    assert heard[1].message == commit(1)


async def test_sockets_arrive_with_their_message(pair: Pair, sockets: list[socket.socket]) -> None:
    one, other = pair
    names = []
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
        names.append(sock.getsockname())
    one.link.send(commit(1))
    one.link.send(commit(2), sockets[:450])  # three pieces
    one.link.send(commit(3), sockets[:2])
    one.link.send(commit(4))
    heard = await other.until(4)
    assert [received.message.commit.revision for received in heard] == [1, 2, 3, 4]
    assert [len(received.sockets) for received in heard] == [0, 450, 2, 0]
    assert [sock.getsockname() for sock in heard[1].sockets] == names
    assert not any(sock.get_inheritable() for sock in heard[1].sockets)
    for received in heard:
        close(received)


async def test_link_socket_may_be_closed_by_its_sender_at_once(pair: Pair) -> None:
    one, other = pair
    one.link.send(Command(prepare=Prepare(files=[page(4 << 20)])))  # what follows has to wait
    sent = socket.socket()
    sent.bind(("127.0.0.1", 0))
    name = sent.getsockname()
    one.link.send(commit(1), [sent])
    sent.close()
    heard = await other.until(2)
    assert heard[1].sockets[0].getsockname() == name
    close(heard[1])


async def test_link_message_sent_before_close_is_received(pair: Pair) -> None:
    one, other = pair
    one.link.send(commit(1))
    one.link.close()
    await other.until_closed()
    assert [received.message for received in other.heard] == [commit(1)]
    assert not one.closed, "who closes an end knows"


async def test_link_closed_within_a_frame_delivers_no_message(ends: Ends) -> None:
    end, far = ends
    far.send(frame(commit(1))[:-1])
    far.close()
    await end.until_closed()
    assert end.heard == []


async def test_sending_on_a_closed_link_is_no_error(ends: Ends) -> None:
    end, far = ends
    far.close()
    end.link.send(commit(1))
    await end.until_closed()
    end.link.send(commit(2))


async def test_link_with_malformed_message_is_closed(ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    end, far = ends
    far.send(HEADER.pack(3, 0, 0) + b"\xff\xff\xff")
    await end.until_closed()
    assert "answerback.internal.v1.Command" in caplog.text


async def test_link_frame_with_excessive_size_closes_the_link(ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    end, far = ends
    far.send(struct.pack("=III", 0xFFFFFFFF, 0, 0))
    await end.until_closed()
    assert "4294967295 bytes" in caplog.text


async def test_link_message_too_large_is_rejected_by_its_sender(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MAX_BYTES", 100)
    one, other = pair
    with pytest.raises(MessageTooLarge, match=r"\d+ bytes, at most 100"):
        one.link.send(Command(prepare=Prepare(files=[page(101)])))
    one.link.send(commit(1))
    assert (await other.until(1))[0].message == commit(1)


@contextmanager
def descriptors_free(count: int) -> Iterator[None]:
    """Leave this process this number of free descriptors."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    free = [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]
    while free[-1] <= highest + count:  # no holes below the limit
        free.append(os.open("/dev/null", os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1] + 1, limits[1]))
    for descriptor in free[-count:]:
        os.close(descriptor)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in free[:-count]:
            os.close(descriptor)


async def test_sockets_without_free_descriptors_are_missing_in_their_message_only(
    pair: Pair, sockets: list[socket.socket]
) -> None:
    one, other = pair
    one.link.send(commit(1), sockets[:10])
    one.link.send(commit(2))
    before = descriptors()
    with descriptors_free(4):
        await other.until(2)
    first, second = other.heard
    assert (first.message, first.lost > 0, first.sockets) == (commit(1), True, [])
    assert (second.message, second.lost) == (commit(2), 0)
    assert descriptors() <= before, "what came of them is not left open"
    one.link.send(commit(3), sockets[:2])
    third = (await other.until(3))[2]
    assert (third.lost, len(third.sockets)) == (0, 2)
    close(third)


async def test_link_without_free_descriptors_sends_nothing(pair: Pair, sockets: list[socket.socket]) -> None:
    one, other = pair
    before = descriptors()
    with descriptors_free(4), pytest.raises(OSError, match="Too many open files"):
        one.link.send(commit(1), sockets[:10])
    assert descriptors() <= before
    one.link.send(commit(2), sockets[:1])
    heard = await other.until(1)
    assert (heard[0].message, len(heard[0].sockets)) == (commit(2), 1)
    close(heard[0])


async def test_descriptors_are_freed_while_sockets_are_received() -> None:
    entered = []

    @contextmanager
    def room() -> Iterator[None]:
        entered.append(descriptors())
        yield

    near, far = socket.socketpair()
    end, other = End(near, fd_reserve=room), End(far)
    other.link.send(commit(1))
    with socket.socket() as sock:
        other.link.send(commit(2), [sock])
    close((await end.until(2))[1])
    assert len(entered) == 1
    end.link.close()
    other.link.close()


async def test_sending_with_too_many_sockets_in_flight_is_retried(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """ETOOMANYREFS: the kernel bounds what an unprivileged user has in flight."""
    one, other = pair
    send, refusals = socket.send_fds, iter([OSError(109, "Too many references")])

    def send_fds(*args: Any) -> int:
        for refusal in refusals:
            raise refusal
        return send(*args)

    monkeypatch.setattr(socket, "send_fds", send_fds)
    with socket.socket() as sock:
        one.link.send(commit(1), [sock])
        one.link.send(commit(2))
    heard = await other.until(2)
    assert [received.message for received in heard] == [commit(1), commit(2)]
    assert len(heard[0].sockets) == 1
    close(heard[0])


async def test_closed_link_leaves_no_descriptor_open(sockets: list[socket.socket]) -> None:
    before = descriptors()
    near, far = socket.socketpair()
    one, other = End(near), End(far)
    one.link.send(Command(prepare=Prepare(files=[page(4 << 20)])))
    one.link.send(commit(1), sockets[:10])
    one.link.close()
    await other.until_closed()
    assert descriptors() <= before
