"""The original callback style: one process, ``select()``, and a callback for each readable socket.

One read of at most 1024 bytes, one reply, close.
"""

# Rule: `select` knows no descriptor above 1023, so this contender is for few connections at a time.

import select
import socket
from collections.abc import Callable

BACKLOG = 4096  # as every contender here
READ_SIZE = 1024
REPLY = b"+PONG\r\n"

on_readable: dict[socket.socket, Callable[[socket.socket], None]] = {}


def accept(listener: socket.socket) -> None:
    """Take one connection and wait for its request."""
    connection, _ = listener.accept()
    connection.setblocking(False)
    on_readable[connection] = answer


def answer(connection: socket.socket) -> None:
    """One read, one reply, and the server closes."""
    del on_readable[connection]
    try:
        if connection.recv(READ_SIZE):
            connection.sendall(REPLY)
    except ConnectionError:
        pass  # the peer left first: there is no client to answer
    finally:
        connection.close()


def main() -> None:
    """Serve on a free port of the loopback until ended."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    on_readable[listener] = accept
    print("READY", listener.getsockname()[1], flush=True)
    while True:
        readable, _, _ = select.select(list(on_readable), [], [])
        for ready in readable:
            on_readable[ready](ready)


if __name__ == "__main__":
    main()
