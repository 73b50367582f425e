"""A small server for clients under test."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def one_by_one(answer: Callable[[socket.socket], None], port: int = 0) -> Iterator[int]:
    """Serve one client after another in a thread, with `answer`, which may fail with OSError; yield the port."""
    with socket.create_server(("127.0.0.1", port)) as listening:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:  # the server has ended
                    return
                with peer, suppress(OSError):  # the client has left
                    peer.settimeout(20)
                    answer(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def hello(peer: socket.socket) -> None:
    """Answer anything in a protocol that is none."""
    peer.recv(4096)
    peer.sendall(b"Hello, World!")


def echo(peer: socket.socket) -> None:
    """Send back everything."""
    while data := peer.recv(65536):
        peer.sendall(data)
