"""The COROUTINE engine: a coroutine per connection, which reads from top to bottom.

It waits in one place for whatever happens next: the socket is ready, a deadline has come, a drain begins. Our epoll
takes it up right there: with a task, futures and a stream reader between them, a request costs half as much again
(docs/adr/0002-two-engines.md).
"""

from collections.abc import Callable, Generator, Sequence
from time import monotonic

from answerback.compat import override
from answerback.core.actions import Action, CloseReason
from answerback.net.connection import READ_BYTES
from answerback.net.polled import DONT_WAIT, PolledConnection
from answerback.net.poller import GONE, NO_ERROR, READABLE, WRITABLE

# Rule: only the coroutine calls the session, except for `abort`, which ends both.
# Rule: the coroutine waits by one bare `yield`, and `ready` resumes it with an event: with `await`, each event would
#       need one more generator.

Event = int | Callable[[float], Sequence[Action]]
"""Events of epoll, or a method of the session to call with the time."""


class CoroutineConnection(PolledConnection):
    """Drives a session by a coroutine, which this object resumes."""

    __slots__ = ("_coroutine",)

    _coroutine: Generator[None, Event, None] | None
    """None once it has ended."""

    def begin(self) -> None:
        """Start the conversation."""
        session, tls = self.session, self.host.active.plan.tls
        if tls is not None and tls.at_once:  # the client computes a key before it sends anything
            self._start(None, reads=False)
        else:
            greets = session.has_connect_rules
            self._start(session.connection_made if greets else 0, reads=not self.host.run_queue.exhausted)

    def dismiss(self, reason: CloseReason) -> None:
        """Instead of `begin`: close in order at once."""
        self._start(lambda _now: self.session.reject(reason), reads=False)

    def _start(self, event: Event | None, *, reads: bool) -> None:
        coroutine = self._coroutine = self._converse(event, reads=reads)
        try:
            next(coroutine)
        except StopIteration:
            self._coroutine = None
        except Exception:
            self.failed()
        if self._fd >= 0 and self.timer_key is None:  # the session has no deadline, but its peer may have
            self.keep_deadline()

    @override
    def ready(self, events: Event) -> None:
        """Resume the coroutine with what has happened."""
        coroutine = self._coroutine
        assert coroutine is not None
        try:
            coroutine.send(events)
        except StopIteration:
            self._coroutine = None
        except Exception:
            self.failed()

    @override
    def run_turn(self) -> None:
        if self._fd >= 0 and (min(self.session.deadline, self.check_at) <= monotonic() or self.departing):
            self.keep_time()
        if self._fd >= 0:
            self.ready(NO_ERROR)
        if self._fd >= 0 and self.session.wants_turn:
            self.ready(self.session.take_turn)

    @override
    def keep_time(self) -> None:
        if self.departing:
            reason = self.departs()
            if reason is not None:
                self._close(reason)
                self._coroutine = None  # which refers to this object
        elif self.on_time(monotonic()):
            self.ready(self.session.handle_timer)
            if self._fd >= 0 and not self.departing:
                self.keep_deadline()

    @override
    def abort(self, reason: CloseReason) -> None:
        super().abort(reason)
        self._coroutine = None  # which refers to this object

    @override
    def drain(self) -> None:
        if self.session.wants_read:
            self.ready(READABLE)  # requests received before the drain are still answered
        if self._fd >= 0:
            self.ready(self.session.drain)

    def _converse(self, event: Event | None, *, reads: bool) -> Generator[None, Event, None]:
        """The conversation. `event`: its first one, None to wait for input; `reads`: whether to try at once to read."""
        if event is None:
            self._watched = READABLE
            self.host.poller.watch(self._fd, self, READABLE, 0)
            event = yield
        while True:
            actions = self._input(event) if type(event) is int else event(monotonic())  # type: ignore[operator]  # mypy does not narrow by type(...) is
            if actions or self.session.awaits_flush:
                self._perform(actions)
            if self._fd < 0:
                return
            session = self.session  # a layer may have stepped aside
            if reads and session.wants_read:
                reads, event = False, READABLE
                continue
            if self._watched != READABLE or not session.wants_read or self._unsent is not None:
                self._watch()
            elif (deadline := session.deadline) < self.timer_at:
                self.keep_deadline(deadline)
            event = yield

    def _input(self, events: int) -> Sequence[Action]:
        """Return the session's actions on what can be read; what waits to be sent is sent before."""
        if events != READABLE:  # for that alone it is registered when the session reads
            if events & GONE and not self.session.wants_read:
                self._gone(events)
            if self._unsent is not None:
                self._write()
            if self._fd < 0 or not events & ~WRITABLE or not self.session.wants_read:
                return ()
        session = self.session
        try:
            data = self.sock.recv(READ_BYTES, DONT_WAIT)
        except BlockingIOError:
            return ()
        except OSError as error:
            self._lost(error)
            return ()
        if not data:
            return session.receive_eof(monotonic())
        size = len(data)
        self.received_bytes += size
        self.counters.received(size)
        return session.receive_data(data, monotonic())
