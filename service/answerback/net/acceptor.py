"""Accepts connections on one listening socket.

The accept loop is our own, because uvloop's closes connections silently when descriptors run out, and busy-loops.
"""

import asyncio
import errno
import os
import select
import socket
from collections.abc import Callable, Collection
from math import inf
from time import monotonic
from typing import Final

from answerback.net.delivery import bound_send_buffer, bound_send_time
from answerback.net.syn_filter import drops_syns, remove_inherited

# Rule: a queued connection is accepted, or counted as not accepted, before anything is built for it.
# Rule: accept is not called to learn that nothing is queued: the kernel makes a socket before it looks, which takes
#       some 10 µs; poll(2) takes one.

BATCH = 64  # max. connections accepted in a row: each costs some 50 µs,
BATCH_SECONDS = 0.005  # or more, if it sends much at once
# Of every listening socket; how many connections may wait there bounds `empty`. A backlog of 100 left 1,654 of 2,000
# clients unserved after a stall of 200 ms. The kernel takes the lesser of it and net.core.somaxconn, which is 4096 too.
BACKLOG = 4096
BACK_OFF_SECONDS = 0.05  # without free descriptors the socket stays readable: the loop would spin
SHORTAGES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
NO_PEERS: Final[frozenset[tuple[str, int]]] = frozenset()
CLOSED = frozenset((errno.EINVAL, errno.EBADF))  # the socket no longer listens


class Acceptor:
    """Accepts on `sock`, which it does not own, until stopped."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        accepted: Callable[[int, int, object], None],
        failed: Callable[[str], None],
    ) -> None:
        """`accepted` gets each connection's descriptor, family and peer address; `failed` an errno's name."""
        self._loop = loop
        self.sock = sock
        self.accepted = accepted
        self.failed = failed
        self._family = int(sock.family)
        self.accepting = True
        self._write_timeout = inf  # the kernel's limit, which is none
        self._queues = True  # whether connections may be queued
        self._fillers: Collection[tuple[str, int]] = NO_PEERS
        self.filtered = drops_syns(sock)
        """Whether the socket has a SYN filter, or may get one at any moment: see `syn_filter`."""
        self._may_inherit = self.filtered
        self._backing_off: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._queue = select.poll()
        self._queue.register(sock, select.POLLIN)
        if sock.family != socket.AF_UNIX:
            # Accepted sockets inherit these.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bound_send_buffer(sock)
        self._watch()

    def skip_peers(self, fillers: Collection[tuple[str, int]]) -> None:
        """Close queued connections from these addresses: they are fillers, not clients."""
        self._fillers = fillers

    def expect_filter(self) -> None:
        """The socket may get a SYN filter from now on."""
        self.filtered = self._may_inherit = True

    def filter_removed(self) -> None:
        """The socket has no SYN filter any more. Connections still queued may have inherited it."""
        self.filtered = False

    def bound(self, write_timeout: float) -> None:
        """Let the kernel end connections accepted from now on whose peers read nothing for `write_timeout`."""
        if self.sock.family != socket.AF_UNIX and write_timeout != self._write_timeout:
            self._write_timeout = write_timeout
            bound_send_time(self.sock, write_timeout)

    def accept_backlog(self) -> None:
        """Accept everything that is queued, unless stopped."""
        if not self._queues:
            return
        for _ in range(BACKLOG // BATCH + 1):
            if not self._accept_queued(BATCH):
                return

    def stop(self) -> None:
        """Stop accepting; the socket need not listen any more."""
        self.accepting = self._queues = False
        self._unwatch()

    def pause(self) -> None:
        """Stop accepting for now; new connections wait in the queue."""
        self.accepting, self._queues = False, True
        self._unwatch()

    def resume(self) -> None:
        """Accept again after `stop` or `pause`."""
        if not self.accepting:
            self.accepting = self._queues = True
            self._watch()

    def _ready(self) -> None:
        self._accept_queued(BATCH, monotonic() + BATCH_SECONDS)

    def _accept_queued(self, most: int, until: float = inf) -> bool:
        """Accept at most `most` queued connections, until `until`; return whether there may be more."""
        # The public accept() determines family and type for each connection, in 3 µs.
        accept, accepted = self.sock._accept, self.accepted  # type: ignore[attr-defined]  # noqa: SLF001
        family = self._family
        special = self._may_inherit or bool(self._fillers)
        queued = self._queue.poll  # the first time the loop, or the caller, has said so
        for tried in range(most):
            if tried and not queued(0):
                if special:
                    self._none_queued()
                return False
            try:
                descriptor, peer = accept()
            except BlockingIOError:  # another worker was faster
                self._none_queued()
                return False
            except OSError as error:
                if error.errno in CLOSED:
                    self.stop()
                    return False
                self.failed(errno.errorcode.get(error.errno or 0, "other"))
                if error.errno in SHORTAGES:
                    self._back_off()
                    return False
                continue
            if special and not self._prepared(descriptor, peer):
                continue
            accepted(descriptor, family, peer)
            if until < inf and monotonic() > until:
                break
        return True

    def _none_queued(self) -> None:
        """Nothing is queued that was queued before something was done to the socket."""
        self._fillers = NO_PEERS
        self._may_inherit = self.filtered

    def _prepared(self, descriptor: int, peer: tuple[str, int]) -> bool:
        """Remove an inherited SYN filter from a connection; or close it, if it was only a filler."""
        if peer[:2] in self._fillers:
            os.close(descriptor)
            return False
        if self._may_inherit:
            remove_inherited(descriptor, self._family)
        return True

    def _back_off(self) -> None:
        """Pause for a while: the event loop would report the socket as ready again at once."""
        if not self.accepting:
            return
        self._unwatch()
        self._backing_off = self._loop.call_later(BACK_OFF_SECONDS, self._watch)

    def _watch(self) -> None:
        self._backing_off = None
        self._loop.add_reader(self.sock.fileno(), self._ready)

    def _unwatch(self) -> None:
        if self._backing_off is not None:
            self._backing_off.cancel()
            self._backing_off = None
        self._loop.remove_reader(self.sock.fileno())
