"""bench.kill: connections at a fixed rate, and how their ends are counted."""

import socket
import threading
from collections.abc import Iterator

import pytest

from bench.kill import Clients
from bench.load import REPLY, REQUEST
from bench.results import Kills


@pytest.fixture
def moody() -> Iterator[int]:
    """The port of a server that answers every other connection, and closes the rest without a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def serve() -> None:
            number = 0
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(len(REQUEST))
                    number += 1
                    if number % 2:
                        connection.sendall(REPLY)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_each_connection_is_counted_as_answered_or_failed(moody: int) -> None:
    clients = Clients(moody, rate=200)
    assert 0 < clients.run(0.3) <= 200
    assert clients.begun >= 2
    assert clients.answered + clients.failed == clients.begun
    assert clients.answered - clients.failed in {0, 1}


def test_connections_to_a_closed_port_are_counted_as_failed() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        clients = Clients(nobody.getsockname()[1], rate=100)
        clients.run(0.2)
    assert clients.failed == clients.begun > 0


@pytest.mark.parametrize("failed, lost", [(0, 0), (7, 0), (9, 2)])
def test_kill_benchmark_counts_unexplained_failures_as_lost(failed: int, lost: int) -> None:
    assert Kills(2, 2500.0, 100, failed, crashed=5, astray=0).lost == lost
