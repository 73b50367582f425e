"""A connection over a non-blocking socket in our epoll: how both engines send, wait for what happens next, and close.

The engines differ in how a conversation goes on: see `callback` and `coroutine`.
"""

import socket
from collections import deque
from collections.abc import Sequence
from time import monotonic

from answerback.compat import override
from answerback.core.actions import Action, Close, CloseReason, HalfClose, Reset, Send
from answerback.net.connection import LAST, REPLY_AND_END, Connection
from answerback.net.delivery import LARGE
from answerback.net.host import Host
from answerback.net.poller import ERRORS, FIN, READABLE, WRITABLE
from answerback.net.resets import reason_of, reset_on_close

# Rule: nothing here blocks. Nothing is registered that a one-shot conversation would not need.
# Rule: every read and write says MSG_DONTWAIT; that saves the call that would make the socket non-blocking.

DONT_WAIT = socket.MSG_DONTWAIT


class PolledConnection(Connection):
    """A connection whose socket an engine reads and writes when it is ready."""

    __slots__ = ("_fd", "_unsent", "_watched")

    def __init__(self, host: Host, descriptor: int, family: int, peer: bytes | None) -> None:
        # The base class of socket.socket suffices, and is created and closed in half the time.
        super().__init__(host, socket.SocketType(family, socket.SOCK_STREAM, 0, descriptor), peer)
        self._fd = descriptor
        self._watched = 0  # the epoll events registered for
        self._unsent: deque[memoryview] | None = None  # output that the kernel has not taken

    @override
    def enqueue(self) -> None:
        self.host.poller.watch(self._fd, self, 0, self._watched)
        self._watched = 0
        self.host.run_queue.add(self)

    @override
    def abort(self, reason: CloseReason) -> None:
        if self._fd >= 0:
            self.session.connection_lost(reason)
            reset_on_close(self.sock)
            self._close(reason)

    def _watch(self) -> None:
        """Register for the next event, and for the deadline."""
        if self._fd < 0:
            return
        session = self.session
        events = READABLE if session.wants_read else self._while_not_reading()
        if self._unsent is not None:
            events |= WRITABLE
        if events != self._watched:
            self.host.poller.watch(self._fd, self, events, self._watched)
            self._watched = events
        if (deadline := session.deadline) < self.timer_at:
            self.keep_deadline(deadline)

    def _while_not_reading(self) -> int:
        """The events to register for while not reading: the peer's FIN once, and then its RST."""
        if self.departing:
            return 0
        if self._unsent is None and self.session.wants_turn:
            self.host.run_queue.add_heavy(self)
        if not self.session.fin_noted:
            return FIN
        return ERRORS if self._unsent is None else 0

    def _gone(self, events: int) -> None:
        """The peer has closed or reset the connection while nothing is read."""
        error = self.error()
        if error is not None:
            self._lost(error)
        elif events & FIN and not self.session.fin_noted:
            self._perform(self.session.note_fin(monotonic()))
            self._watch()

    def _perform(self, actions: Sequence[Action]) -> None:
        """Perform the session's actions, and those that follow once everything is in the kernel."""
        session = self.session
        while True:
            only = actions[0] if len(actions) == 1 else None
            if type(only) is Send and self._unsent is None:  # the commonest
                if only.data and not self._send(only.data):
                    return
            elif type(only) is Close:
                self._ending = only
            elif actions and not self._send_all(actions):
                return
            if self._unsent is not None or self._fd < 0:
                return
            flushed = session.awaits_flush
            actions = session.writing_resumed(monotonic()) if flushed else ()
            if self._ending is not None:
                self._end()
            if not flushed or not (actions or session.awaits_flush):
                return

    def _send_all(self, actions: Sequence[Action]) -> bool:
        """Send the output of these actions, large parts by themselves. False if the connection is lost."""
        if len(actions) == REPLY_AND_END and type(actions[0]) is Send and type(actions[1]) is HalfClose:
            self._ending = actions[1]  # the commonest end
            if self._unsent is None and actions[0].data:
                return self._send(actions[0].data, LAST)
            return self._output(actions[0].data)
        data = self._gather(actions)
        return all(map(self._output, data if isinstance(data, list) else (data,)))

    def _output(self, data: bytes | memoryview) -> bool:
        """Send bytes behind those that wait. False if the connection is lost."""
        if self._unsent is None:
            return not data or self._send(data)
        if data:
            self._unsent.append(memoryview(data))
        return True

    def _send(self, data: bytes | memoryview, flags: int = DONT_WAIT) -> bool:
        """Send bytes; what the kernel does not take waits until there is room. False if the connection is lost."""
        try:
            taken = self.sock.send(data, flags)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            self._lost(error)
            return False
        self.sent_bytes += taken
        self.counters.sent(taken)
        if taken < len(data):
            self._unsent = deque((memoryview(data)[taken:],))
            now = monotonic()
            self.session.writing_paused(now)
            self.sent_much(now)
        elif taken >= LARGE:
            self.sent_much(monotonic())
        return True

    @property
    @override
    def unsent(self) -> int:
        return 0 if self._unsent is None else sum(map(len, self._unsent))

    def _write(self) -> None:
        unsent = self._unsent
        assert unsent is not None
        try:
            while unsent:
                taken = self.sock.send(unsent[0], DONT_WAIT)
                self.sent_bytes += taken
                self.counters.sent(taken)
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
        self._perform(())
        self._watch()

    def _end(self) -> None:
        """Everything is in the kernel: half-close, close or reset, as requested."""
        ending, self._ending = self._ending, None
        if type(ending) is HalfClose:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError as error:  # the peer reset it first
                self._lost(error)
        elif type(ending) is Reset:
            reset_on_close(self.sock)
            self._close(ending.reason)
        elif type(ending) is Close and not self.depart(ending):
            self._close(ending.reason)

    def _lost(self, error: OSError) -> None:
        self._close(self.session.connection_lost(reason_of(error)))

    def _close(self, reason: CloseReason) -> None:
        if self._watched:
            self.host.poller.forget(self._fd)
        self._unsent = None
        self._fd = -1
        self.closed(reason)
        self.sock.close()
