"""Accepts connections of the HTTP server, one per iteration of the event loop.

The accept loop is our own: uvloop accepts the whole queue at once, before a connection can be closed to make room,
and it closes connections silently when descriptors run out.
"""

import asyncio
import socket
from collections.abc import Callable

from answerback.net.acceptor import BACK_OFF_SECONDS, SHORTAGES


class Accepting:
    """Accepts on `sock`, which it owns, until closed."""

    def __init__(self, sock: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        """`make` creates the protocol of each connection."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._make = make
        self._starting: set[asyncio.Task[object]] = set()
        self._resume: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._watch()

    def close(self) -> None:
        """Stop accepting, and free the address."""
        if self._resume is not None:
            self._resume.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _watch(self) -> None:
        self._resume = None
        self._loop.add_reader(self._sock.fileno(), self._ready)

    def _ready(self) -> None:
        try:
            connection, _ = self._sock.accept()
        except OSError as error:
            if error.errno in SHORTAGES:
                self._loop.remove_reader(self._sock.fileno())
                self._resume = self._loop.call_later(BACK_OFF_SECONDS, self._watch)
            return  # any other error concerns the connection: its peer has left
        connection.setblocking(False)
        starting = self._loop.create_task(self._start(connection))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)

    async def _start(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError:  # the peer has left, or no descriptor is free for its transport
            connection.close()
