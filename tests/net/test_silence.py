"""Silence on a listening socket, on a real one."""

import socket
from collections.abc import Iterator

import pytest

from answerback.net.silence import end_silence, silence

PATIENCE = 0.3  # seconds, of a client that is to get no answer: the kernel repeats a SYN after one second
SECONDS = 10.0


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.create_server(
        (request.param, 0), family=socket.AF_INET6 if ":" in request.param else socket.AF_INET
    ) as sock:
        sock.settimeout(SECONDS)
        yield sock


def test_whoever_connects_gets_no_answer_until_it_ends(listening: socket.socket) -> None:
    where = listening.getsockname()[:2]
    if silence(listening):  # else this kernel does not permit it to us
        with pytest.raises(TimeoutError):
            socket.create_connection(where, PATIENCE)
    end_silence(listening)
    with socket.create_connection(where, SECONDS):
        listening.accept()[0].close()


def test_what_is_queued_is_accepted(listening: socket.socket) -> None:
    with socket.create_connection(listening.getsockname()[:2], SECONDS) as client:
        silence(listening)
        accepted, _ = listening.accept()
        with accepted:
            client.sendall(b"hi")
            assert accepted.recv(2) == b"hi"


def test_whoever_is_half_way_in_gets_in(listening: socket.socket) -> None:
    """With TCP_DEFER_ACCEPT (tcp(7)) a handshake ends with the first data; the client takes it for ended before."""
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    with socket.create_connection(listening.getsockname()[:2], SECONDS) as client:
        silence(listening)
        client.sendall(b"hi")
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.recv(2) == b"hi"
