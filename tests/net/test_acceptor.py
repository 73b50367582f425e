"""The accept loop alone: what it takes, what it leaves in the queue, and what it does when accept() fails."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator

import pytest

from answerback.net import acceptor
from answerback.net.acceptor import Acceptor


class Listening(socket.socket):
    """A listening socket whose accept() fails with these errors first."""

    errors: list[int]
    calls = 0

    def _accept(self) -> tuple[int, object]:
        self.calls += 1
        if self.errors:
            raise OSError(self.errors.pop(0), "as the test wants")
        return super()._accept()  # type: ignore[misc,no-any-return]


class Accepting:
    """An acceptor, what it has accepted, and what has failed."""

    def __init__(self) -> None:
        self.sock = Listening(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.errors = []
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(acceptor.BACKLOG)
        self.accepted: list[int] = []
        self.failed: list[str] = []
        self.clients: list[socket.socket] = []
        self.acceptor = Acceptor(asyncio.get_running_loop(), self.sock, self._take, self.failed.append)

    def _take(self, descriptor: int, _family: int, _peer: object) -> None:
        self.accepted.append(descriptor)

    async def connect(self) -> None:
        """A client connects; an acceptor that wants to know has had every opportunity to."""
        self.clients.append(socket.create_connection(self.sock.getsockname()))
        await passes()

    def close(self) -> None:
        self.acceptor.stop()
        for descriptor in self.accepted:
            os.close(descriptor)
        for sock in (self.sock, *self.clients):
            sock.close()


async def passes() -> None:
    """Passes of the event loop: sockets that are readable are reported."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def accepting() -> AsyncIterator[Accepting]:
    made = Accepting()
    yield made
    made.close()


async def test_paused_acceptor_leaves_clients_in_the_queue_and_resumes(accepting: Accepting) -> None:
    await accepting.connect()
    assert len(accepting.accepted) == 1
    accepting.acceptor.pause()
    await accepting.connect()
    assert len(accepting.accepted) == 1
    accepting.acceptor.resume()
    await passes()
    assert len(accepting.accepted) == 2


@pytest.mark.parametrize("end, left", [("pause", 2), ("stop", 0)])
async def test_only_the_queue_of_a_paused_acceptor_is_accepted(accepting: Accepting, end: str, left: int) -> None:
    getattr(accepting.acceptor, end)()
    for _ in range(2):
        await accepting.connect()
    accepting.acceptor.accept_backlog()
    assert len(accepting.accepted) == left


async def test_full_queue_is_accepted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "BACKLOG", 4)
    monkeypatch.setattr(acceptor, "BATCH", 2)
    accepting = Accepting()
    accepting.acceptor.pause()
    for _ in range(5):  # the kernel queues one more than the backlog
        await accepting.connect()
    accepting.acceptor.accept_backlog()
    assert len(accepting.accepted) == 5
    accepting.close()


async def test_accept_is_not_called_to_learn_that_nothing_is_queued(accepting: Accepting) -> None:
    for _ in range(3):
        await accepting.connect()
    assert len(accepting.accepted) == accepting.sock.calls == 3
    accepting.acceptor.pause()
    for _ in range(2):
        await accepting.connect()
    accepting.acceptor.resume()
    await passes()
    assert len(accepting.accepted) == accepting.sock.calls == 5, "they were queued together"


async def test_acceptor_of_a_socket_that_does_not_listen_any_more_stops(accepting: Accepting) -> None:
    accepting.sock.shutdown(socket.SHUT_RDWR)
    await passes()
    assert not accepting.acceptor.accepting
    assert accepting.failed == []


async def test_failed_accept_is_reported_and_the_next_client_is_accepted(accepting: Accepting) -> None:
    accepting.sock.errors = [errno.ECONNABORTED, 999]
    await accepting.connect()
    assert accepting.failed == ["ECONNABORTED", "other"]
    assert len(accepting.accepted) == 1


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_shortage_is_reported_once_until_the_pause_is_over(
    accepting: Accepting, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "BACK_OFF_SECONDS", 3600.0)
    accepting.sock.errors = [error, error]
    await accepting.connect()
    assert accepting.failed == [errno.errorcode[error]]
    monkeypatch.setattr(acceptor, "BACK_OFF_SECONDS", 0.0)
    accepting.acceptor.pause()
    accepting.acceptor.resume()
    await passes()
    assert accepting.failed == [errno.errorcode[error]] * 2
    async with asyncio.timeout(60):
        while not accepting.accepted:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0)
