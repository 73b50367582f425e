"""A side in the engine COROUTINE: a transport of the event loop."""

import asyncio
import errno
import socket
from time import monotonic
from typing import Final, cast

from answerback.compat import override
from answerback.net.relay.side import Side, SideOwner
from answerback.net.resets import reset_on_close
from answerback.net.run_queue import NOTABLE_SECONDS

# Rule: a paused transport reports neither FIN nor RST: both are noticed when it reads again.

# So much is charged whatever it took, and twice, because it took as long to read: libuv reads up to 32 times in a row,
# and 20 fast relays made iterations of 90 ms of reads that were too short, each by itself, to be charged.
LARGE_BYTES: Final = 32 << 10


class StreamSide(Side, asyncio.Protocol):
    """Passes on what a transport reads, and writes to it. What arrives out of turn waits in the inbox."""

    __slots__ = ("_has_socket", "_inbox", "_opening", "_reads", "_transport", "_unsent")

    def __init__(self, connection: SideOwner, side: int) -> None:
        super().__init__(connection, side)
        self._has_socket = False
        self._transport: asyncio.Transport | None = None
        self._inbox: list[bytes] | None = None  # empty bytes are FIN
        self._opening = False
        self._reads = True  # whether the transport reads
        self._unsent = 0  # bytes in the transport's buffer

    @override
    def take(self, sock: socket.SocketType) -> None:
        self.sock = sock
        self._has_socket = True

    @override
    async def open(self) -> None:
        self._opening = True
        await self.connection.host.loop.connect_accepted_socket(lambda: self, cast(socket.socket, self.sock))

    @property
    @override
    def unsent(self) -> int:
        transport = self._transport
        return 0 if transport is None or not self._unsent else transport.get_write_buffer_size()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a transport over the socket."""
        self._transport = cast(asyncio.Transport, transport)
        # With this limit it writes at once, and its buffer holds what the kernel has not taken.
        self._transport.set_write_buffer_limits(high=0)
        if self.finished:  # reset meanwhile
            self._transport.abort()

    @override
    def data_received(self, data: bytes) -> None:
        """The transport has read bytes; empty ones are the other end's FIN."""
        connection = self.connection
        run_queue = connection.host.run_queue
        if run_queue.exhausted or self._inbox is not None or not connection.relay.wants_read(self.side):
            self._keep(data)
            return
        began = monotonic()
        self._pass_on(data)
        now = monotonic()
        if len(data) >= LARGE_BYTES:
            run_queue.charge(self, 2 * (now - began), now)
        elif now - began > NOTABLE_SECONDS:
            run_queue.charge(self, now - began, now)

    @override
    def eof_received(self) -> bool:
        """The other end's FIN closes only its half."""
        self._reads = False
        self.data_received(b"")
        return True

    @override
    def resume_writing(self) -> None:
        """The kernel has taken everything."""
        if self._unsent and not self.finished:
            self._count_taken(0)
            self.connection.writing_resumed(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """The other end has reset the connection, or cannot be reached; or the transport is closed."""
        if not self.finished:
            lost = exc if isinstance(exc, OSError) else ConnectionResetError(errno.ECONNRESET, "it is gone")
            self.connection.lost(self.side, lost)

    @override
    def run_turn(self) -> None:
        inbox = self._inbox
        if inbox is None or self.finished:
            return
        if self.connection.relay.wants_read(self.side):
            self._inbox = inbox[1:] or None
            self._pass_on(inbox[0])
        self.attend()

    @override
    def attend(self) -> None:
        transport = self._transport
        if transport is None or self.finished:
            return
        wanted = self.connection.relay.wants_read(self.side)
        if self._inbox is not None:
            if wanted:
                self.connection.host.run_queue.add(self)
            wanted = False
        if wanted is self._reads:
            return
        self._reads = wanted
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    @override
    def send(self, data: bytes | memoryview) -> None:
        transport = self._transport
        assert transport is not None
        if transport.is_closing():
            self.connection.lost(self.side, ConnectionResetError(errno.ECONNRESET, "the other end has reset it"))
            return
        transport.write(data)
        before, self._unsent = self._unsent, transport.get_write_buffer_size()
        self.connection.sent(self.side, before + len(data) - self._unsent)
        if self._unsent and not before:
            self.connection.writing_paused(self)

    @override
    def finish(self, *, cut: bool = False) -> None:
        assert self._transport is not None
        try:
            self._transport.write_eof()
        except OSError as error:
            self.connection.lost(self.side, error)

    @override
    def close(self, *, reset: bool) -> None:
        transport = self._transport
        if not self._has_socket:
            return
        if transport is None:
            if reset:
                reset_on_close(self.sock)
            if not self._opening:  # else `connection_made` does it
                self.sock.close()
        elif reset:
            self._count_taken(transport.get_write_buffer_size())
            reset_on_close(self.sock)
            transport.abort()
        else:
            transport.close()

    def _pass_on(self, data: bytes) -> None:
        connection = self.connection
        try:
            if data:
                connection.received(self.side, data, monotonic())
            else:
                connection.received_eof(self.side, monotonic())
        except Exception:
            connection.failed()

    def _keep(self, data: bytes) -> None:
        """Keep the input until it is this side's turn, and pause reading."""
        if self._inbox is None:
            self._inbox = []
        self._inbox.append(data)
        if self._reads and self._transport is not None:
            self._reads = False
            self._transport.pause_reading()
        if self.connection.relay.wants_read(self.side):
            self.connection.host.run_queue.add(self)

    def _count_taken(self, left: int) -> None:
        """Count what the kernel has taken since the last write; `left` is what it has not taken."""
        taken, self._unsent = self._unsent - left, left
        self.connection.sent(self.side, taken)
