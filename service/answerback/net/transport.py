"""A connection over a transport of the event loop: reading is paused and resumed, output written, the socket closed."""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import uvloop

from answerback.compat import override
from answerback.core.actions import Action, Close, CloseReason, HalfClose, Reset, Send
from answerback.net.connection import LAST, REPLY_AND_END, Connection
from answerback.net.delivery import LARGE, taken
from answerback.net.host import Host
from answerback.net.poller import ERRORS, FIN
from answerback.net.resets import reason_of, reset_on_close

# Rule: a paused transport reports neither FIN nor RST; our own epoll does meanwhile.


class TransportSocket(socket.SocketType):
    """A socket whose descriptor the transport closes, before it calls `close`; see `TransportConnection.__init__`."""

    __slots__ = ()

    def close(self) -> None:
        """Forget the descriptor: another thread may have the number by now."""
        self.detach()


class TransportConnection(Connection, asyncio.Protocol):
    """A connection that the event loop reads and writes."""

    __slots__ = ("_gone", "_inbox", "_opening", "_reads", "_taken", "_transport", "_unsent", "_watched")

    def __init__(self, host: Host, descriptor: int, family: int, peer: bytes | None) -> None:
        # To make a `socket.socket`, and to convert its family and type to enums, takes uvloop 22,000 instructions: a
        # tenth of a one-shot conversation. asyncio's transports close the socket itself.
        sock: socket.SocketType
        if isinstance(host.loop, uvloop.Loop):  # its transports make the descriptor non-blocking themselves
            sock = TransportSocket(family, socket.SOCK_STREAM, 0, descriptor)
        else:
            sock = socket.socket(family, socket.SOCK_STREAM, 0, descriptor)
            sock.setblocking(False)
        super().__init__(host, sock, peer)
        self._transport: asyncio.Transport | None = None
        self._gone = False
        self._inbox: list[bytes] | None = None  # input read before this connection's turn
        self._opening = False
        self._reads = True
        self._watched = 0  # the epoll events registered for while the transport does not read
        self._taken: int | None = None  # what the kernel had taken in all when `_unsent` was set; None on a Unix socket
        self._unsent = 0  # output that the kernel has not taken

    def _count_sent(self, left: int) -> None:
        """Count what the kernel has taken since `_unsent` was set; `left` is what it has not taken."""
        self.sent_bytes += self._unsent - left
        self.counters.sent(self._unsent - left)
        self._unsent = left

    def _dropped(self) -> int:
        """What the kernel had not taken when the transport lost the connection, and dropped its buffer."""
        if self._taken is None:
            return self._unsent  # on a Unix socket, and a closed one, it is unknown
        with suppress(OSError):
            return max(self._unsent - taken(self.sock) + self._taken, 0)
        return self._unsent

    def _read_or_not(self) -> None:
        """Pause or resume reading as the session wishes."""
        transport, session = self._transport, self.session
        assert transport is not None
        if session.wants_read is not self._reads:
            self._reads = session.wants_read
            if self._reads:
                transport.resume_reading()
            else:
                transport.pause_reading()
        self._watch_while_paused(0 if self._reads else ERRORS if session.fin_noted else FIN)

    def _watch_while_paused(self, events: int) -> None:
        """Watch for the peer's FIN and RST by our own epoll: a paused transport does not report them."""
        if events != self._watched:
            self.host.poller.watch(self.sock.fileno(), self, events, self._watched)
            self._watched = events

    def _write_all(self, actions: Sequence[Action]) -> bool:
        """Write the output of several actions; False if the connection was aborted."""
        if len(actions) == REPLY_AND_END and type(actions[0]) is Send and type(actions[1]) is HalfClose:
            self._ending = actions[1]  # the commonest end
            self._write(actions[0].data, LAST)
            return True
        data = self._gather(actions)
        if self._gone:
            return False
        for chunk in data if isinstance(data, list) else (data,):
            if chunk:
                self._write(chunk)
        return True

    def _check_open(self) -> asyncio.Transport:
        """Return the transport. Raises ConnectionResetError if it has lost the connection."""
        transport = self._transport
        assert transport is not None
        if transport.is_closing():
            raise ConnectionResetError(errno.ECONNRESET, "the peer has reset the connection")
        return transport

    def _write(self, data: bytes | memoryview, flags: int = socket.MSG_DONTWAIT) -> None:
        """Give the kernel output; the transport gets what the kernel does not take.

        The transport would give it to the kernel at once too, in several times the calls.
        """
        transport = self._check_open()
        size = len(data)
        taken = 0
        if size and not self._unsent:
            try:  # noqa: SIM105 - `suppress` is three calls
                taken = self.sock.send(data, flags)
            except BlockingIOError:
                pass
        if taken < size:
            before = self._unsent
            if not before:
                transport.set_write_buffer_limits(high=0)  # so its buffer holds what the kernel has not taken
            transport.write(memoryview(data)[taken:] if taken else data)
            self._unsent = transport.get_write_buffer_size()
            taken = before + size - self._unsent
        self.sent_bytes += taken
        self.counters.sent(taken)
        if size >= LARGE and not self._unsent:
            self.sent_much(monotonic())

    @property
    @override
    def unsent(self) -> int:
        """`_unsent` is brought up to date when the coroutine goes on."""
        return self._transport.get_write_buffer_size() if self._unsent and self._transport is not None else 0

    def _end(self) -> None:
        """Everything is in the kernel: half-close, close or reset, as requested."""
        ending, self._ending = self._ending, None
        assert self._transport is not None
        if type(ending) is HalfClose:
            self._check_open()
            self.sock.shutdown(socket.SHUT_WR)  # at once: the transport would do it in the next pass of the loop
        elif type(ending) is Reset:
            reset_on_close(self.sock)
            self._leave(ending.reason)
        elif type(ending) is Close:
            if self.depart(ending):
                if self._reads:
                    self._reads = False
                    self._transport.pause_reading()
                self._watch_while_paused(0)
            else:
                self._finish(ending.reason)

    @override
    def _send_fin(self) -> None:
        with suppress(OSError):
            self._check_open()
            self.sock.shutdown(socket.SHUT_WR)

    def _finish(self, reason: CloseReason) -> None:
        """Close the connection; everything is done."""
        assert self._transport is not None
        self._gone = True
        if self._watched:
            self._watch_while_paused(0)
        self._transport.close()
        self.closed(reason)

    def _leave(self, reason: CloseReason) -> None:
        """Drop the connection: output that the kernel has not taken is lost."""
        self._gone = True
        self._watch_while_paused(0)
        if self._inbox:
            self.received_bytes += sum(map(len, self._inbox))
            self.counters.received(sum(map(len, self._inbox)))
            self._inbox = None
        if self._transport is not None:
            if self._unsent:
                self._count_sent(self._transport.get_write_buffer_size() or self._dropped())
            self._transport.abort()
        elif not self._opening:  # else `connection_made` does it
            os.close(self.sock.detach())
        self.closed(reason)

    def _lost(self, error: OSError) -> None:
        if not self._gone:
            self._leave(self.session.connection_lost(reason_of(error)))
