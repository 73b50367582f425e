"""The COROUTINE engine: a coroutine per connection, which reads from top to bottom.

It waits in one place at a time, for whatever happens next, and the transport's callbacks take it up right there: with a
task, futures and a stream reader between them, a request costs half as much again (docs/adr/0002-two-engines.md).
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from time import monotonic
from typing import Any, cast

from answerback.compat import override
from answerback.core.actions import Action, Close, CloseReason, Send
from answerback.net.delivery import taken
from answerback.net.host import Host
from answerback.net.poller import FIN
from answerback.net.resets import reset_on_close
from answerback.net.run_queue import NOTABLE_SECONDS
from answerback.net.transport import TransportConnection

# Rule: only the coroutine calls the session, except for `abort`, which ends both.
# Rule: the coroutine waits by a bare `yield`, and `_resume` resumes it with an event. With `await` there would be one
#       more generator for each event.

Event = bytes | Callable[[float], Sequence[Action]]
"""An event with its time: input (empty: the peer's FIN), or a method of the session to call."""

PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT


def room_to_write(_now: float) -> Sequence[Action]:
    """An event that the session need not be told of: there is room to write again."""
    return ()


class CoroutineConnection(TransportConnection):
    """Drives a session by a coroutine, resumed by this object as the protocol of a transport."""

    __slots__ = ("_coroutine", "_dismissed", "_drained")

    def __init__(self, host: Host, descriptor: int, family: int, peer: bytes | None) -> None:
        super().__init__(host, descriptor, family, peer)
        self._coroutine: Generator[None, Event, None] | None = None  # set while the coroutine runs
        self._dismissed: CloseReason | None = None  # the reason to close at once, if `dismiss` was called
        self._drained = False  # whether a drain is to be reported once everything received was processed

    def begin(self) -> None:
        """Start the conversation."""
        if self._gone:
            return
        self._opening = True
        # Without a task: it would take its first step in the next pass of the loop. The loop waits once, for a future.
        opening = self.host.loop.connect_accepted_socket(self._itself, self.sock)  # type: ignore[arg-type]  # uvloop takes any that has a descriptor
        try:
            opened = opening.send(None)
        except OSError as error:
            self._opening = False
            self._lost(error)
        except Exception:
            self.failed()
        else:
            opened.add_done_callback(partial(self._opened, opening))

    def _opened(self, opening: Coroutine[Any, None, Any], _opened: "asyncio.Future[Any]") -> None:
        """There is a transport over the accepted socket, or it could not be made."""
        try:
            opening.send(None)
        except StopIteration:
            if self._coroutine is None:
                self._start()  # not before: what `connection_made` says about reading is not heard by uvloop
            if self._drained and not self._inbox and not self._input_waits():
                self._drained = False
                self._resume(self.session.drain)
        except OSError as error:
            self._opening = False
            self._lost(error)
        except Exception:
            self.failed()

    def dismiss(self, reason: CloseReason) -> None:
        """Instead of `begin`: close in order at once."""
        self._dismissed = reason
        self.begin()

    @override
    def keep_time(self) -> None:
        if self._gone:
            return
        if self.departing:
            reason = self.departs()
            if reason is not None:
                self._finish(reason)
        elif self.on_time(monotonic()):
            self._resume(self.session.handle_timer)
            if not self.session.over:
                self.keep_deadline()

    @override
    def drain(self) -> None:
        if self._coroutine is None or self._inbox or self._input_waits():
            self._drained = True  # requests received before the drain are still answered
        else:
            self._resume(self.session.drain)

    @override
    def abort(self, reason: CloseReason) -> None:
        if not self._gone:
            self.session.connection_lost(reason)
            reset_on_close(self.sock)
            self._leave(reason)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a transport over the accepted socket."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass
        if self._gone:  # aborted meanwhile
            transport.abort()  # type: ignore[attr-defined]

    def _itself(self) -> "CoroutineConnection":
        return self

    @override
    def data_received(self, data: bytes) -> None:
        run_queue = self.host.run_queue
        if run_queue.exhausted or self._inbox or self in run_queue.heavy:
            self._enqueue_input(data)
            return
        began = monotonic()
        if self._coroutine is None or self._drained:
            self._feed(data)
        else:  # the common case, without another call
            self._resume(data)
        now = monotonic()
        if now - began > NOTABLE_SECONDS:
            run_queue.charge(self, now - began, now)

    @override
    def run_turn(self) -> None:
        if self._gone:
            return
        session = self.session
        if min(session.deadline, self.check_at) <= monotonic() or self.departing:
            self.keep_time()
        if session.wants_turn:
            self._resume(session.take_turn)
        elif self._inbox:
            first, *rest = self._inbox
            self._inbox = rest or None
            self._feed(first)
        self._requeue()

    def _requeue(self) -> None:
        """Queue for another turn if there is more to do; otherwise read on."""
        session = self.session
        if self._gone:
            return
        if self._inbox and not session.wants_turn:
            self.host.run_queue.add(self)
        elif session.wants_read is not self._reads:
            self._read_or_not()
        if session.deadline < self.timer_at:
            self.keep_deadline()

    @override
    def eof_received(self) -> bool:
        """The peer's FIN closes only its half."""
        self.data_received(b"")
        return True

    @override
    def ready(self, events: int) -> None:
        """The peer has closed or reset the connection while nothing is read."""
        error = self.error()
        if error is not None:
            self._lost(error)
        elif events & FIN and not self.session.fin_noted:
            self._resume(self.session.note_fin)

    @override
    def resume_writing(self) -> None:
        """The kernel has taken everything."""
        self._resume(room_to_write)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone:
            self._lost(exc if isinstance(exc, OSError) else ConnectionResetError(errno.ECONNRESET, "it is gone"))

    def _feed(self, data: bytes) -> None:
        """Pass input to the session; empty input means the peer's FIN."""
        if self._coroutine is None:
            self._start()
        self._resume(data)
        if self._drained and not self._inbox:
            self._drained = False
            self._resume(self.session.drain)

    def _enqueue_input(self, data: bytes) -> None:
        """Keep the input until it is this connection's turn, and pause reading."""
        if self._inbox is None:
            self._inbox = []
        self._inbox.append(data)
        if self._reads:
            self._reads = False
            cast(asyncio.Transport, self._transport).pause_reading()
        self.host.run_queue.add(self)

    def _start(self) -> None:
        if self._gone:
            return
        self._coroutine = self._converse()
        self._resume(None)

    @property
    @override
    def received_any(self) -> bool:
        return super().received_any or any(self._inbox or ())

    def _input_waits(self) -> bool:
        """Whether input, or the peer's FIN, is about to be processed."""
        if not self._reads or not self.session.wants_read:
            return False
        try:
            self.sock.recv(1, PEEK)
        except OSError:
            return False
        return True

    def _resume(self, event: Event | None) -> None:
        """Resume the coroutine with the event it waits for."""
        coroutine = self._coroutine
        if coroutine is None:
            return
        try:
            coroutine.send(event)  # type: ignore[arg-type]  # None alone begins it
        except StopIteration:
            self._coroutine = None
        except OSError as error:
            self._lost(error)
        except Exception:
            self.failed()

    def _converse(self) -> Generator[None, Event, None]:
        actions = self._greeting()
        while True:
            session = self.session  # a layer may have stepped aside
            if actions or session.awaits_flush:
                while not self._perform(actions):
                    actions = yield from self._wait_for_room()
                if self._gone or self._ending is not None:
                    return
            if (deadline := session.deadline) < self.timer_at:
                self.keep_deadline(deadline)
            wants_read = session.wants_read
            if wants_read is not self._reads or not self._reads:
                self._read_or_not()
            if not wants_read and session.wants_turn:
                self.host.run_queue.add_heavy(self)
            event = yield
            if type(event) is not bytes:
                actions = event(monotonic())  # type: ignore[operator]  # mypy does not narrow by type(...) is
            elif event:
                size = len(event)
                self.received_bytes += size
                self.counters.received(size)
                actions = session.receive_data(event, monotonic())
            else:
                actions = session.receive_eof(monotonic())

    def _greeting(self) -> Sequence[Action]:
        """The session's actions on the new connection."""
        session = self.session
        if self._dismissed is not None:
            return session.reject(self._dismissed)
        return session.connection_made(monotonic()) if session.has_connect_rules else ()

    def _wait_for_room(self) -> Generator[None, Event, Sequence[Action]]:
        """Wait until the kernel has taken the output, or another event; return the session's actions then."""
        session, transport = self.session, self._transport
        assert transport is not None
        now = monotonic()
        session.writing_paused(now)
        self.sent_much(now)
        self._taken = None if self.sock.family == socket.AF_UNIX else taken(self.sock)
        self.keep_deadline()
        if session.wants_read is not self._reads or not self._reads:
            self._read_or_not()
        event = yield
        self._count_sent(transport.get_write_buffer_size())
        if not isinstance(event, bytes):
            return event(monotonic())
        self.received_bytes += len(event)
        self.counters.received(len(event))
        return session.receive_data(event, monotonic()) if event else session.receive_eof(monotonic())

    def _perform(self, actions: Sequence[Action]) -> bool:
        """Perform the session's actions, and those that follow; False if the kernel has no room."""
        session = self.session
        while True:
            only = actions[0] if len(actions) == 1 else None
            if type(only) is Send:
                self._write(only.data)
            elif type(only) is Close:
                self._ending = only
            elif actions and not self._write_all(actions):
                return True
            if self._unsent:
                return False
            flushed = session.awaits_flush
            actions = session.writing_resumed(monotonic()) if flushed else ()
            if self._ending is not None:
                self._end()
            if not flushed or not (actions or session.awaits_flush):
                return True

    @override
    def closed(self, reason: CloseReason) -> None:
        self._coroutine = None  # which refers to this object
        super().closed(reason)
