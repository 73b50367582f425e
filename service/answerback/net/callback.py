"""The CALLBACK engine: readiness callbacks on a non-blocking socket.

The event loop says when the socket can be read or written; every callback does what can be done at once and returns.
The first read is tried at accept, because a client that has something to say has often said it by then.
"""

import socket
from collections import deque
from collections.abc import Sequence
from time import monotonic

from answerback.core.actions import Abort, Action, Close, CloseReason, HalfClose, Reset, Send
from answerback.net.connection import READ_BYTES, Connection, Host, reason_of, reset_on_close

# Rule: nothing here waits. Nothing is registered with the loop that a one-shot conversation would not need.


class CallbackConnection(Connection):
    """Drives a session by readiness callbacks."""

    __slots__ = ("_ending", "_fd", "_reading", "_unsent")

    def __init__(self, host: Host, sock: socket.socket, peer: bytes | None) -> None:
        super().__init__(host, sock, peer)
        self._fd = sock.fileno()
        self._reading = False  # whether the loop watches for bytes to read
        self._unsent: deque[memoryview] | None = None  # what the kernel has not taken; then the loop watches for room
        self._ending: Action | None = None  # what to do once it has

    def begin(self) -> None:
        """Take up the conversation."""
        try:
            actions = self.session.connected(monotonic())
            if actions or self.session.awaits_flush:
                self._perform(actions)
            if self.session.wants_read and not self.session.over:
                self._read()
            else:
                self._watch()
        except Exception:
            self.failed()

    def wake(self) -> None:
        """See `Connection.wake`."""
        try:
            self._perform(self.session.wake(monotonic()))
            self._watch()
        except Exception:
            self.failed()

    def drain(self) -> None:
        """See `Connection.drain`."""
        try:
            if self._reading:
                self._read()  # what came before the drain is still answered
            if not self.session.over:
                self._perform(self.session.drain(monotonic()))
                self._watch()
        except Exception:
            self.failed()

    def abort(self, reason: CloseReason) -> None:
        """See `Connection.abort`."""
        if self._fd >= 0:
            self.session.lost(reason)
            reset_on_close(self.sock)
            self._close(reason)

    def _readable(self) -> None:
        try:
            self._read()
        except Exception:
            self.failed()

    def _read(self) -> None:
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            self._watch()
            return
        except OSError as error:
            self._lost(error)
            return
        session = self.session
        if data:
            self.heard = True
            self.books.received(len(data))
            actions = session.receive(data, monotonic())
        else:
            actions = session.eof(monotonic())
        if actions or session.awaits_flush:
            self._perform(actions)
        self._watch()

    def _watch(self) -> None:
        """Have the loop call when there is something to do."""
        if self._fd < 0:
            return
        session = self.session
        if session.wants_read is not self._reading:
            self._reading = session.wants_read
            if self._reading:
                self.host.loop.add_reader(self._fd, self._readable)
            else:
                self.host.loop.remove_reader(self._fd)
        if session.deadline < self.due:
            self.keep_deadline()

    def _perform(self, actions: Sequence[Action]) -> None:
        """Do what the session asks, and what it asks once that is in the kernel."""
        session = self.session
        while True:
            for action in actions:
                if type(action) is Abort:
                    self.abort(action.reason)
                    return
                if type(action) is not Send:
                    self._ending = action
            data = actions[0].data if len(actions) == 1 and type(actions[0]) is Send else _joined(actions)
            if data and not self._send(data):
                return
            if self._unsent:
                return
            actions = session.flushed(monotonic()) if session.awaits_flush else ()
            if self._ending is not None:
                self._end()
            if not actions:
                return

    def _send(self, data: bytes) -> bool:
        """Give it to the kernel; what that does not take waits until there is room. False if the connection is lost."""
        if self._unsent:
            self._unsent.append(memoryview(data))
            return True
        try:
            taken = self.sock.send(data)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            self._lost(error)
            return False
        self.books.sent(taken)
        if taken < len(data):
            self._unsent = deque((memoryview(data)[taken:],))
            self.host.loop.add_writer(self._fd, self._writable)
            self.session.blocked(monotonic())
        return True

    def _writable(self) -> None:
        unsent = self._unsent
        assert unsent is not None
        try:
            while unsent:
                taken = self.sock.send(unsent[0])
                self.books.sent(taken)
                if taken < len(unsent[0]):
                    unsent[0] = unsent[0][taken:]
                    return
                unsent.popleft()
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        self._unsent = None
        self.host.loop.remove_writer(self._fd)
        try:
            self._perform(())
            self._watch()
        except Exception:
            self.failed()

    def _end(self) -> None:
        """Everything is in the kernel: half-close, close or reset."""
        ending, self._ending = self._ending, None
        if type(ending) is HalfClose:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError as error:  # the peer was quicker with its RST
                self._lost(error)
        elif type(ending) is Reset:
            reset_on_close(self.sock)
            self._close(ending.reason)
        elif type(ending) is Close:
            self._close(ending.reason)

    def _lost(self, error: OSError) -> None:
        self._close(self.session.lost(reason_of(error)))

    def _close(self, reason: CloseReason) -> None:
        if self._reading:
            self.host.loop.remove_reader(self._fd)
        if self._unsent is not None:
            self.host.loop.remove_writer(self._fd)
            self._unsent = None
        self._fd = -1
        self.sock.close()
        self.closed(reason)


def _joined(actions: Sequence[Action]) -> bytes:
    return b"".join([action.data for action in actions if type(action) is Send])
