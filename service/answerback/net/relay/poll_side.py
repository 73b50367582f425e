"""A side in the engine CALLBACK: poller callbacks on a non-blocking socket."""

import socket
from collections import deque
from time import monotonic

from answerback.compat import override
from answerback.net.poller import ERRORS, READABLE, WRITABLE
from answerback.net.relay.side import Side, SideOwner
from answerback.net.resets import pending_error, reset_on_close

# Rule: one event is one read and what follows from it, so that no relay keeps other connections waiting.

DONT_WAIT = socket.MSG_DONTWAIT


class PollSide(Side):
    """Reads into the worker's buffer, and sends from there: only what the kernel does not take is copied."""

    __slots__ = ("_fd", "_unsent", "_watched")

    def __init__(self, connection: SideOwner, side: int) -> None:
        super().__init__(connection, side)
        self._fd = -1
        self._watched = 0  # the epoll events registered for
        self._unsent: deque[memoryview] | None = None  # what the kernel has not taken

    @override
    def take(self, sock: socket.SocketType) -> None:
        self.sock = sock
        self._fd = sock.fileno()
        self.attend()  # a reset is noticed from now on

    @override
    async def open(self) -> None:
        pass

    @property
    @override
    def unsent(self) -> int:
        return 0 if self._unsent is None else sum(map(len, self._unsent))

    def ready(self, events: int) -> None:
        """These events have occurred on the socket."""
        try:
            if events == READABLE == self._watched:
                self._read()
                return
            if events & ~(READABLE | WRITABLE) and not self._reads() and self._broken():
                return
            if self._unsent is not None:
                self._write()
            if events & ~WRITABLE and self._reads():
                self._read()
        except Exception:
            self.connection.failed()

    def enqueue(self) -> None:
        """Events have occurred: handle them in a turn of this side."""
        self.connection.host.poller.watch(self._fd, self, 0, self._watched)
        self._watched = 0
        self.connection.host.run_queue.add(self)

    @override
    def run_turn(self) -> None:
        try:
            if not self.finished and self._unsent is not None:
                self._write()
            if not self.finished and self._reads():
                self._read()
            self.attend()
        except Exception:
            self.connection.failed()

    @override
    def attend(self) -> None:
        if self._fd < 0:
            return
        events = (READABLE if self._reads() else 0) | (0 if self._unsent is None else WRITABLE) or ERRORS
        if events != self._watched:
            self.connection.host.poller.watch(self._fd, self, events, self._watched)
            self._watched = events

    @override
    def send(self, data: bytes | memoryview) -> None:
        if self._unsent is not None:
            self._unsent.append(kept(data))
            return
        try:
            taken = self.sock.send(data, DONT_WAIT)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            self.connection.lost(self.side, error)
            return
        self.connection.sent(self.side, taken)
        if taken < len(data):
            self._unsent = deque((kept(data)[taken:],))
            self.connection.writing_paused(self)

    @override
    def finish(self, *, cut: bool = False) -> None:
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:  # the other end has reset it
            self.connection.lost(self.side, error)

    @override
    def close(self, *, reset: bool) -> None:
        if self._fd < 0:
            return
        if self._watched:
            self.connection.host.poller.forget(self._fd)
        self._fd = -1
        self._unsent = None
        if reset:
            reset_on_close(self.sock)
        self.sock.close()

    def _reads(self) -> bool:
        return self.connection.relay.wants_read(self.side)

    def _read(self) -> None:
        connection = self.connection
        buffer = connection.relaying.buffer
        try:
            size = self.sock.recv_into(buffer, 0, DONT_WAIT)
        except BlockingIOError:
            return
        except OSError as error:
            connection.lost(self.side, error)
            return
        if size:
            connection.received(self.side, buffer[:size], monotonic())
        else:
            connection.received_eof(self.side, monotonic())

    def _write(self) -> None:
        unsent = self._unsent
        assert unsent is not None
        try:
            while unsent:
                taken = self.sock.send(unsent[0], DONT_WAIT)
                self.connection.sent(self.side, taken)
                if taken < len(unsent[0]):
                    unsent[0] = unsent[0][taken:]
                    return
                unsent.popleft()
        except BlockingIOError:
            return
        except OSError as error:
            self.connection.lost(self.side, error)
            return
        self._unsent = None
        self.connection.writing_resumed(self)

    def _broken(self) -> bool:
        """Whether the other end has reset the connection while nothing is read."""
        error = pending_error(self.sock)
        if error is not None:
            self.connection.lost(self.side, error)
        return error is not None


def kept(data: bytes | memoryview) -> memoryview:
    """Return bytes that stay as they are: what was read last is copied, a constant payload is not."""
    view = memoryview(data)
    return view if view.readonly else memoryview(bytes(view))
