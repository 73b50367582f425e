"""Queues filled by the server: clients time out, and the server tells its own connections from clients."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from answerback.supervisor.sockets import backlog_filler
from answerback.supervisor.sockets.backlog_filler import BacklogFiller, queued

KEY = "it"
Listening = Callable[..., list[socket.socket]]


@pytest.fixture
def listening() -> Iterator[Listening]:
    """Sockets that listen at one address."""
    with ExitStack() as stack:

        def listen(host: str = "127.0.0.1", count: int = 1) -> list[socket.socket]:
            made: list[socket.socket] = []
            for _ in range(count):
                sock = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                sock.bind((host, made[0].getsockname()[1] if made else 0))
                sock.listen()
                sock.setblocking(False)
                made.append(sock)
            return made

        yield listen


@pytest.fixture
def fillers() -> Iterator[BacklogFiller]:
    made = BacklogFiller()
    yield made
    made.close(KEY)


def gets_in(sock: socket.socket) -> bool:
    host, port = sock.getsockname()[:2]
    with socket.socket(sock.family) as client:
        client.settimeout(0.3)
        try:
            client.connect((host, port))
        except TimeoutError:
            return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
@pytest.mark.parametrize("count", [1, 2, 4])
async def test_filled_backlog_admits_no_client_and_fillers_are_known(
    listening: Listening, fillers: BacklogFiller, host: str, count: int
) -> None:
    sockets = listening(host, count)
    await fillers.fill(KEY, sockets)
    assert all(map(queued, sockets))
    assert not any(gets_in(sockets[0]) for _ in range(3))
    seen = []
    for sock in sockets:
        for _ in range(queued(sock)):
            accepted, address = sock.accept()
            accepted.close()
            seen.append(address[:2])
    assert sorted(seen) == sorted((name.host, name.port) for name in fillers.names())
    assert {name.socket for name in fillers.names()} == {KEY}


async def test_clients_already_queued_count_towards_a_filled_backlog(
    listening: Listening, fillers: BacklogFiller
) -> None:
    (sock,) = listening()
    with socket.create_connection(sock.getsockname()):
        await fillers.fill(KEY, [sock])
        assert not fillers.names()
        assert not gets_in(sock)


async def test_backlog_filler_skips_a_full_queue(
    listening: Listening, fillers: BacklogFiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_filler, "CONNECT_SECONDS", 0.01)
    sockets = listening(count=2)
    with ExitStack() as stack:
        while not queued(sockets[0]):
            stack.enter_context(socket.create_connection(sockets[0].getsockname()))
        while queued(sockets[1]):
            sockets[1].accept()[0].close()
        sockets[0].listen(0)
        await fillers.fill(KEY, sockets)
    assert queued(sockets[1])
    assert not any(gets_in(sockets[0]) for _ in range(3))


async def test_backlog_filler_fails_if_its_connections_do_not_arrive(
    listening: Listening, fillers: BacklogFiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_filler, "CONNECT_SECONDS", 0.01)
    (sock,) = listening()
    with socket.socket() as nowhere:  # bound, and not listening: no client can queue there
        nowhere.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        nowhere.bind(sock.getsockname())
        with pytest.raises(OSError, match="own connections to the listener fail"):
            await fillers.fill(KEY, [nowhere])
    assert gets_in(sock)


async def test_backlog_filler_forgets_only_connections_closed_by_the_listener(
    listening: Listening, fillers: BacklogFiller
) -> None:
    sockets = listening(count=2)
    await fillers.fill(KEY, sockets)
    fillers.forget_ended([KEY])
    before = len(fillers.names())
    assert before >= 2
    accepted, address = sockets[0].accept()
    accepted.close()
    fillers.forget_ended([KEY])
    assert len(fillers.names()) == before - 1
    assert address[1] not in {name.port for name in fillers.names()}
    sockets[1].shutdown(socket.SHUT_RDWR)  # resets those who queue
    sockets[0].shutdown(socket.SHUT_RDWR)
    fillers.forget_ended([KEY])
    assert not fillers.names()
    assert not fillers.keys


async def test_own_connection_that_is_refused_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []
    monkeypatch.setattr(backlog_filler, "pass_filter", made.append)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nothing listens there, and nothing else can
        with pytest.raises(ConnectionRefusedError):
            await backlog_filler._connected(socket.AF_INET, bound.getsockname())
    assert [sock.fileno() for sock in made] == [-1]
