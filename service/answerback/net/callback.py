"""The CALLBACK engine: poller callbacks on a non-blocking socket.

Epoll reports when the socket can be read or written; each callback does what is possible at once and returns. The
first read is tried right after accept, because clients have often sent data by then.
"""

from time import monotonic

from answerback.compat import override
from answerback.core.actions import CloseReason
from answerback.net.connection import READ_BYTES
from answerback.net.polled import DONT_WAIT, PolledConnection
from answerback.net.poller import GONE, READABLE, WRITABLE


class CallbackConnection(PolledConnection):
    """Drives a session by poller callbacks."""

    __slots__ = ()

    def begin(self) -> None:
        """Start the conversation."""
        session, tls = self.session, self.host.active.plan.tls
        try:
            if tls is not None and tls.at_once:  # the client computes a key before it sends anything
                self._watched = READABLE
                self.host.poller.watch(self._fd, self, READABLE, 0)
                self.keep_deadline()
                return
            if session.has_connect_rules:
                self._perform(session.connection_made(monotonic()))
            if session.wants_read and not self.host.run_queue.exhausted:
                self._read()
            else:
                self._watch()
            if self._fd >= 0 and self.timer_key is None:  # the session has no deadline, but its peer may have
                self.keep_deadline()
        except Exception:
            self.failed()

    def dismiss(self, reason: CloseReason) -> None:
        """Instead of `begin`: close in order at once."""
        try:
            self._perform(self.session.reject(reason))
            self._watch()
        except Exception:
            self.failed()

    @override
    def ready(self, events: int) -> None:
        """These events have occurred on the socket."""
        try:
            if events & READABLE and (events == READABLE or self._unsent is None):  # it is registered to read
                self._read()
                return
            wants_read = self.session.wants_read
            if events & GONE and not wants_read:
                self._gone(events)
            if self._unsent is not None:
                self._write()
                wants_read = self.session.wants_read
            if wants_read and events & ~WRITABLE:
                self._read()
        except Exception:
            self.failed()

    @override
    def run_turn(self) -> None:
        try:
            if self._unsent is not None:
                self._write()
            now = monotonic()
            if self._fd >= 0 and (min(self.session.deadline, self.check_at) <= now or self.departing):
                self.keep_time()
            if self._fd >= 0 and self.session.wants_turn:
                self._perform(self.session.take_turn(now))
            elif self._fd >= 0 and self.session.wants_read:
                self._read()
            self._watch()
        except Exception:
            self.failed()

    @override
    def keep_time(self) -> None:
        try:
            now = monotonic()
            if self.departing:
                reason = self.departs()
                if reason is not None:
                    self._close(reason)
            elif self.on_time(now):
                self._perform(self.session.handle_timer(now))
                self._watch()
                if self._fd >= 0 and not self.departing:
                    self.keep_deadline()
        except Exception:
            self.failed()

    @override
    def drain(self) -> None:
        try:
            if self.session.wants_read:
                self._read()  # requests received before the drain are still answered
            if self._fd >= 0:
                self._perform(self.session.drain(monotonic()))
                self._watch()
        except Exception:
            self.failed()

    def _read(self) -> None:
        try:
            data = self.sock.recv(READ_BYTES, DONT_WAIT)
        except BlockingIOError:
            self._watch()
            return
        except OSError as error:
            self._lost(error)
            return
        session = self.session
        if data:
            size = len(data)
            self.received_bytes += size
            self.counters.received(size)
            actions = session.receive_data(data, monotonic())
        else:
            actions = session.receive_eof(monotonic())
        if actions or session.awaits_flush:
            self._perform(actions)
        if self._fd < 0:
            return
        session = self.session  # a layer may have stepped aside
        if self._watched != READABLE or not session.wants_read or self._unsent is not None:
            self._watch()
        elif (deadline := session.deadline) < self.timer_at:
            self.keep_deadline(deadline)
