"""Reports when sockets are ready: one epoll of our own, itself watched by the event loop.

The loop's `add_reader` and `remove_reader` cost 5 to 8 µs and some 700 bytes a connection: a handle, a callback with
its context, a close that takes another turn of the loop. Here it is an entry in a table, and closing a descriptor takes
it out of the epoll by itself (epoll(7)).
"""

import asyncio
import select
from time import monotonic
from typing import Protocol

from answerback.net.run_queue import NOTABLE_SECONDS, SHARE_SECONDS, Runnable, RunQueue

# Rule: unregister a descriptor before closing it: its number may be reused at once.

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT
FIN = select.EPOLLRDHUP  # the peer's FIN, even behind unread bytes
GONE = FIN | select.EPOLLERR | select.EPOLLHUP
# Only errors, which epoll always reports (epoll_ctl(2)): each once, because EPOLLHUP persists.
ERRORS = select.EPOLLET
NO_ERROR = READABLE | WRITABLE
EVENTS_A_TURN = 256


class PollHandler(Runnable, Protocol):
    """An object that is notified."""

    def ready(self, events: int) -> None:
        """These events (READABLE, WRITABLE, FIN, EPOLLHUP, EPOLLERR) have occurred."""

    def enqueue(self) -> None:
        """Events have occurred, and are to be handled in the connection's turn."""


class Poller:
    """The registered sockets. Level-triggered: unhandled events are reported again."""

    __slots__ = ("_by_descriptor", "_epoll", "_loop", "_run_queue")

    def __init__(self, loop: asyncio.AbstractEventLoop, run_queue: RunQueue) -> None:
        self._loop = loop
        self._run_queue = run_queue
        self._epoll = select.epoll()
        self._by_descriptor: dict[int, PollHandler] = {}
        loop.add_reader(self._epoll.fileno(), self._dispatch)

    def watch(self, descriptor: int, who: PollHandler, events: int, before: int) -> None:
        """Register for these events; `before` is what was registered so far, 0 for nothing."""
        if not before:
            self._by_descriptor[descriptor] = who
            self._epoll.register(descriptor, events)
        elif events:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.unregister(descriptor)
            del self._by_descriptor[descriptor]

    def forget(self, descriptor: int) -> None:
        """The registered descriptor is about to be closed."""
        del self._by_descriptor[descriptor]

    def close(self) -> None:
        """Unregister everything."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _dispatch(self) -> None:
        of, run_queue = self._by_descriptor.get, self._run_queue
        heavy = run_queue.heavy
        before = monotonic()
        until = before + SHARE_SECONDS
        for descriptor, events in self._epoll.poll(0, EVENTS_A_TURN):
            who = of(descriptor)
            if who is None:  # another event of this iteration has closed it
                continue
            if events & NO_ERROR and (run_queue.exhausted or (heavy and who in heavy)):
                who.enqueue()
                continue
            who.ready(events)
            now = monotonic()
            if now - before > NOTABLE_SECONDS:
                run_queue.charge(who, now - before, now)
            if now > until:
                run_queue.stop()
            before = now
