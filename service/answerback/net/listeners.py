"""The listeners of a worker, which change with the plan."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count

from answerback.core.plan import Accept, Plan
from answerback.core.shared_view import SharedView, SharedWriteFailed
from answerback.net.acceptor import NO_PEERS, Acceptor
from answerback.net.admission import Admission
from answerback.net.deadlines import Deadlines
from answerback.net.listener import Listener
from answerback.net.poller import Poller
from answerback.net.relay.relaying import Relaying
from answerback.net.run_queue import RunQueue
from answerback.net.served import Served
from answerback.net.signals import Act, Signals, tell_nobody
from answerback.net.syn_filter import accept_syns, drop_syns
from answerback.shared.counters import SharedCounters
from answerback.shared.journal.region import JournalRegion
from answerback.shared.sequences import SharedSequences

# Rule: connections queued before `accept` changes are treated by the old value.
# Rule: where the queue is to stay full (STALL), no worker accepts; fillers are never counted.
# Rule: a socket with a SYN filter is accepted on as before, until told to stop: handshakes in progress complete.
# Rule: a plan is activated between two iterations of the event loop: no connection sees a mixture.
# Rule: sockets belong to addresses, not to listeners: a renamed listener keeps its queued connections.

log = logging.getLogger(__name__)

Fillers = Mapping[str, Collection[tuple[str, int]]]
"""Connections of our own that fill queues: their source host and port, by the key of the address."""
NO_FILLERS: Fillers = {}


def no_shared_variables() -> SharedView:
    """Refuse a view of the shared variables."""
    raise SharedWriteFailed("there are no shared variables")


class Listeners:
    """The listeners that a worker serves. `slot` is its own; it may accept for others too. It counts in `region`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        memory: SharedCounters,
        slot: int,
        region: int,
        shared_view: Callable[[], SharedView] = no_shared_variables,
        tell: Callable[[Sequence[Act]], None] = tell_nobody,
    ) -> None:
        """`tell` sends the supervisor what scripts do with signals."""
        self.loop = loop
        self.region = memory.region(region)
        self.journal = JournalRegion(memory.journal, region, self.region)
        self._workers = max(1, memory.slots - 1)  # one region is spare
        self.admission = Admission(memory, region)
        self.sequences = SharedSequences(memory)
        self.deadlines = Deadlines(loop)
        self.run_queue = RunQueue(loop, self.region)
        self.signals = Signals(loop, tell)
        self.poller = Poller(loop, self.run_queue)
        self.relaying = Relaying()
        self.shared_view = shared_view
        self.slot = slot
        self.process = os.getpid()  # part of the ids of connections: the next worker in the slot starts at 1 again
        self.next_connection_number = count(1).__next__
        """See `connection.Host.next_connection_number`."""
        self._listeners: dict[str, Listener] = {}
        self._leaving: set[Listener] = set()  # removed listeners with open connections
        self._by_socket: dict[str, Listener] = {}
        self._acceptors: dict[tuple[str, int], Acceptor] = {}
        self._paused: frozenset[str] = frozenset()
        self._announced: frozenset[str] = frozenset()
        self._draining = False
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def open_connections(self) -> int:
        """Return the number of open connections, including those of removed listeners."""
        return sum(len(listener.connections) for listener in chain(self._listeners.values(), self._leaving))

    def commit(self, plan: Plan, sockets: Mapping[str, socket.socket], fillers: Fillers = NO_FILLERS) -> None:
        """Activate a plan. `sockets`: listening sockets new to this slot, by key; this object owns them now.

        Removed listeners drain. At an address that is not used any more, queued connections are accepted first,
        except `fillers` at addresses where no worker accepted so far. Where a SYN filter was announced, it accepts
        until `stop_accepting`.
        """
        self._paused = self._announced = frozenset()
        self.journal.configure(plan.journal.share(self._workers))
        self._skip_peers(fillers)
        self._empty_where_accept_changes(plan)
        former, served = self._listeners, self._by_socket
        accepts = {key: listener.active.plan.accept for key, listener in served.items()}
        self._listeners = {}
        for name, listener_plan in plan.listeners.items():
            listener = former.pop(name, None)
            if listener is None:
                listener = Listener(self, listener_plan)
            listener.activate(listener_plan)
            self._listeners[name] = listener
        self._by_socket = {listener.active.plan.socket: listener for listener in self._listeners.values()}
        for key, acceptor in list(self._acceptors.items()):
            target = self._by_socket.get(key[0])
            accept = target.active.plan.accept if target is not None else Accept.REFUSE
            if acceptor.filtered and accept is Accept.REFUSE:
                if key[0] in served and accepts[key[0]] is not Accept.REFUSE:
                    self._accept_late(acceptor, served[key[0]], accepts[key[0]])
            elif target is None:
                self._retire(key)
            else:
                acceptor.filter_removed()
                acceptor.accepted, acceptor.failed = target.accepted, target.counters.accept_failed
                acceptor.bound(target.active.plan.limits.write_timeout)
                self._attend(acceptor, accept)
        for name, sock in sockets.items():
            self._accept_on(name, self.slot, sock, fillers)
        for listener in former.values():
            self._leaving.add(listener)
            listener.drain()
        self.connection_left()

    def connections(self) -> Iterator[Served]:
        """Yield every open connection, also those of removed listeners."""
        for listener in chain(self._listeners.values(), self._leaving):
            yield from listener.connections

    def named(self, names: Iterable[str]) -> Iterator[Listener]:
        """Yield the existing listeners of these names."""
        return (self._listeners[name] for name in names if name in self._listeners)

    def pause(self, keys: Collection[str]) -> None:
        """Accept what is queued at these addresses, then stop until the next plan, or `resume`."""
        self._paused = frozenset(keys)
        for (key, _), acceptor in self._acceptors.items():
            if key in self._paused:
                acceptor.accept_backlog()
                acceptor.pause()

    def resume(self, fillers: Fillers) -> None:
        """Accept again where paused, and cancel the SYN filters announced for the last change."""
        paused, self._paused = self._paused, frozenset()
        announced, self._announced = self._announced, frozenset()
        self._skip_peers(fillers)
        for (key, _), acceptor in self._acceptors.items():
            if key in announced:
                acceptor.filter_removed()
            if key in paused and acceptor.filtered:
                acceptor.resume()
            elif key in paused:
                self._attend(acceptor, self._by_socket[key].active.plan.accept)

    def expect_syn_filters(self, keys: Collection[str]) -> None:
        """SYN filters are about to be set at these addresses."""
        new = {key for (key, _), acceptor in self._acceptors.items() if key in keys and not acceptor.filtered}
        self._announced |= new
        for (key, _), acceptor in self._acceptors.items():
            if key in new:
                acceptor.expect_filter()

    def stop_accepting(self, keys: Collection[str]) -> None:
        """Accept what is queued at these addresses, then stop; close sockets that no listener uses."""
        for key in [key for key in self._acceptors if key[0] in keys]:
            if key[0] in self._by_socket:
                self._acceptors[key].accept_backlog()
                self._acceptors[key].stop()
            else:
                self._retire(key)
        self.connection_left()

    def adopt(self, slot: int, sockets: Mapping[str, socket.socket], fillers: Fillers = NO_FILLERS) -> None:
        """Accept for another slot too, on these sockets, which this object owns from now on."""
        for name, sock in sockets.items():
            self._accept_on(name, slot, sock, fillers)

    def release(self, slot: int) -> None:
        """Stop accepting for another slot; its own worker accepts what is queued."""
        self._hand_over([key for key in self._acceptors if key[1] == slot != self.slot])

    def drain(self, spread_seconds: float = 0.0, *, succeeded: bool = False) -> None:
        """Accept what is queued and stop listening; finish requests in progress, and close everything in order.

        `spread_seconds`: the time over which to close. `succeeded`: a successor accepts what is queued.
        """
        self._draining = True
        if succeeded:
            self._hand_over([key for key in self._acceptors if key[0] in self._by_socket])
        else:
            for key in list(self._acceptors):
                self._retire(key)
        for listener in chain(tuple(self._listeners.values()), tuple(self._leaving)):
            listener.drain(spread_seconds)

    def abort(self) -> None:
        """Reset every connection, and stop accepting."""
        self._hand_over(list(self._acceptors))
        for listener in chain(tuple(self._listeners.values()), tuple(self._leaving)):
            listener.abort()

    async def closed(self) -> None:
        """Wait until no connection is open, and none can arrive from an address that was left."""
        while self.open_connections or any(key not in self._by_socket for key, _ in self._acceptors):
            waiting = self.loop.create_future()
            self._waiting.append(waiting)
            await waiting

    def connection_left(self) -> None:
        """A listener has no connection left: drop it if it was removed, and notify waiters."""
        if self._leaving:
            self._leaving = {listener for listener in self._leaving if listener.connections}
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _accept_on(self, name: str, slot: int, sock: socket.socket, fillers: Fillers) -> None:
        listener = self._by_socket.get(name)
        former = self._acceptors.get((name, slot))
        if listener is None or self._draining or former is not None:
            sock.close()
            return
        acceptor = Acceptor(self.loop, sock, listener.accepted, listener.counters.accept_failed)
        acceptor.bound(listener.active.plan.limits.write_timeout)
        self._acceptors[name, slot] = acceptor
        acceptor.skip_peers(fillers.get(name, NO_PEERS))
        accept = listener.active.plan.accept
        if accept is Accept.REFUSE and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            acceptor.accept_backlog()  # left over from a predecessor
        if accept is Accept.REFUSE and acceptor.filtered:
            self._accept_late(acceptor, listener, Accept.NORMAL)
        elif name in self._paused:
            acceptor.pause()
        else:
            self._attend(acceptor, accept)

    def _accept_late(self, acceptor: Acceptor, listener: Listener, accept: Accept) -> None:
        """Keep accepting as before on a filtered socket, for a listener that has left or closed the address."""
        if accept is Accept.HOLD and listener.active.plan.accept is Accept.NORMAL:
            accept = Accept.NORMAL  # it has released its held connections
        acceptor.accepted = partial(self._accepted_late, listener, accept)
        acceptor.resume()

    def _accepted_late(self, listener: Listener, accept: Accept, descriptor: int, family: int, address: object) -> None:
        listener.accepted(descriptor, family, address, accept)
        if self._listeners.get(listener.name) is not listener:
            self._leaving.add(listener)
            listener.drain()
            self.connection_left()

    def _attend(self, acceptor: Acceptor, accept: Accept) -> None:
        """Accept or not, depending on the mode."""
        if accept is Accept.REFUSE:
            acceptor.stop()
        elif accept is Accept.STALL:
            acceptor.pause()
        else:
            acceptor.resume()

    def _skip_peers(self, fillers: Fillers) -> None:
        for (name, _), acceptor in self._acceptors.items():
            if not acceptor.accepting:  # elsewhere the fillers have been skipped
                acceptor.skip_peers(fillers.get(name, NO_PEERS))

    def _empty_where_accept_changes(self, plan: Plan) -> None:
        accepts = {each.socket: each.accept for each in plan.listeners.values()}
        for (name, _), acceptor in self._acceptors.items():
            accept = accepts.get(name)
            if accept is Accept.STALL or name not in self._by_socket:
                continue  # it was emptied and is full now; or was not accepted on before
            if accept is not self._by_socket[name].active.plan.accept:
                acceptor.accept_backlog()

    def _hand_over(self, keys: Iterable[tuple[str, int]]) -> None:
        """Stop accepting on these sockets, and leave queued connections to other workers."""
        for key in keys:
            acceptor = self._acceptors.pop(key)
            acceptor.stop()
            acceptor.sock.close()

    def _retire(self, key: tuple[str, int]) -> None:
        """Accept what is queued on a socket, then stop listening (for every process that shares it), and close it."""
        acceptor = self._acceptors.pop(key)
        sock = acceptor.sock
        acceptor.expect_filter()
        drop_syns(sock)  # otherwise a client that connects between the next steps is reset
        if sock.family == socket.AF_UNIX:  # connections queued here survive the shutdown, and none are added
            _shut_down(sock)
        acceptor.accept_backlog()
        acceptor.stop()
        if sock.family != socket.AF_UNIX:
            _shut_down(sock)
        accept_syns(sock)  # other processes may share it and listen again
        sock.close()


def _shut_down(sock: socket.socket) -> None:
    """Stop listening, for every process that shares the socket."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError as error:  # it was not listening
        log.debug("already stopped listening: %s", error)
