"""The listeners of a worker, coming and going with the plan."""

import asyncio
import logging
import os
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, count
from random import Random

from answerback.core.actions import CloseReason
from answerback.core.plan import Accept, Engine, ListenerPlan, Plan, PlanInForce
from answerback.metrics.books import Books
from answerback.metrics.claims import Claims
from answerback.metrics.peers import Admission
from answerback.metrics.tally import Tally
from answerback.net.acceptor import NOBODY, Acceptor
from answerback.net.callback import CallbackConnection
from answerback.net.connection import Connection
from answerback.net.coroutine import CoroutineConnection
from answerback.net.deadlines import Deadlines
from answerback.net.held import HeldConnection
from answerback.net.readiness import Readiness
from answerback.net.silence import end_silence, silence
from answerback.net.spread import Spread

# Rule: what the kernel has queued when `accept` changes is accepted as it would have been before.
# Rule: where the queue is to be full (STALL), nobody accepts, and those who fill it are never counted.
# Rule: a plan is put in force between two turns of the event loop: no connection sees a mixture.
# Rule: sockets belong to addresses, not to listeners: a listener renamed goes on with what queues there.

log = logging.getLogger(__name__)

Fillers = Mapping[str, Collection[tuple[str, int]]]
"""Connections of our own that fill queues: host and port they come from, by the key of the address."""
NO_FILLERS: Fillers = {}

MISBEHAVING = frozenset((Accept.CLOSE, Accept.RESET, Accept.HOLD))

DRIVERS: Mapping[Engine, type[CallbackConnection] | type[CoroutineConnection]] = {
    Engine.CALLBACK: CallbackConnection,
    Engine.COROUTINE: CoroutineConnection,
}


def chance_of(plan: ListenerPlan) -> Random:
    """Where a listener's chance begins."""
    return Random(plan.random_seed)  # noqa: S311 - for lifelike answers, not for secrets


class Listener:
    """One listener of one worker: a plan in force, and the connections it answers. See `connection.Host`."""

    def __init__(self, listeners: "Listeners", plan: ListenerPlan) -> None:
        self.name = plan.name
        self.loop = listeners.loop
        self.deadlines = listeners.deadlines
        self.readiness = listeners.readiness
        self.in_force = PlanInForce(plan)
        self.books = Books(listeners.region, plan.block)
        self.connections: set[Connection] = set()
        self.chance = chance_of(plan)
        self.claims = listeners.claims
        self.next_connection_id = listeners.next_connection_id
        self._spread = Spread(self.loop, (), self._drain_one, 0.0)
        self._admission = listeners.admission
        self._left = listeners.connection_left

    def take_up(self, plan: ListenerPlan) -> None:
        """Go by another plan; chance goes on, unless it is seeded otherwise, and NORMAL serves those who were held."""
        former, self.in_force.plan = self.in_force.plan, plan
        if plan.random_seed != former.random_seed:
            self.chance = chance_of(plan)
        if plan.accept is Accept.NORMAL and former.accept is not Accept.NORMAL:
            for connection in tuple(self.connections):
                if isinstance(connection, HeldConnection):
                    connection.release()

    def accepted(self, descriptor: int, family: int, address: object) -> None:
        """A connection was accepted: turn it away, or take up the conversation."""
        plan = self.in_force.plan
        limits = plan.limits
        peer = None
        if limits.max_connections or limits.max_connections_per_peer:
            if limits.max_connections_per_peer:
                peer = packed(family, address)
            rejection = self._admission.admit(plan, peer or b"", self.books.accepted)
            if rejection is not None:
                self.books.rejected(rejection)
                os.close(descriptor)
                return
        else:
            self.books.accepted()
        if plan.accept in MISBEHAVING:
            self._misbehave(plan.accept, descriptor, family, peer)
            return
        connection = DRIVERS[plan.engine](self, descriptor, family, peer)
        self.connections.add(connection)
        connection.begin()

    def left(self, connection: Connection, peer: bytes | None) -> None:
        """See `connection.Host.left`."""
        self.connections.discard(connection)
        if peer is not None:
            self._admission.left(self.in_force.plan, peer)
        if not self.connections:
            self._left()

    def _misbehave(self, accept: Accept, descriptor: int, family: int, peer: bytes | None) -> None:
        """Do with an accepted connection what `accept` says."""
        if accept is Accept.HOLD:
            held = HeldConnection(self, descriptor, family, peer, self._follow)
            self.connections.add(held)
            held.begin()
            return
        connection = DRIVERS[self.in_force.plan.engine](self, descriptor, family, peer)
        self.connections.add(connection)
        if accept is Accept.RESET:
            connection.abort(CloseReason.SERVER_RESET)
        else:
            connection.dismiss(CloseReason.SERVER_CLOSE)

    def _follow(self, held: HeldConnection, end: CloseReason | None) -> None:
        """Go on with a connection that was held; or, for a reason, end it in order."""
        self.connections.discard(held)
        sock = held.sock
        family = sock.family
        connection = DRIVERS[self.in_force.plan.engine](self, sock.detach(), family, held.counted_peer)
        self.connections.add(connection)
        if end is None:
            connection.begin()
        else:
            connection.dismiss(end)

    def drain(self, over: float = 0.0) -> None:
        """Have every connection finish what is in progress, then close in order; the oldest first, over so many s."""
        self._spread.cancel()
        self._spread = Spread(self.loop, sorted(self.connections, key=age), self._drain_one, over)

    def drain_no_more(self) -> None:
        """Leave alone whoever has not been told to finish yet."""
        self._spread.cancel()

    def _drain_one(self, connection: Connection) -> None:
        if connection in self.connections:
            connection.drain()


class Listeners:
    """What a worker serves. `slot` is the worker's own; it may accept for others too. It counts in `region`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tally: Tally, slot: int, region: int) -> None:
        self.loop = loop
        self.region = tally.region(region)
        self.admission = Admission(tally, region)
        self.claims = Claims(tally)
        self.deadlines = Deadlines(loop)
        self.readiness = Readiness(loop)
        self._slot = slot
        self._process = os.getpid()  # a successor in the slot must not repeat its numbers
        self._numbers = count(1)
        self._listeners: dict[str, Listener] = {}
        self._leaving: set[Listener] = set()  # removed, still finishing
        self._by_socket: dict[str, Listener] = {}
        self._acceptors: dict[tuple[str, int], Acceptor] = {}
        self._paused: frozenset[str] = frozenset()
        self._draining = False
        self._waiting: list[asyncio.Future[None]] = []

    def next_connection_id(self) -> str:
        """See `connection.Host.next_connection_id`."""
        return f"{self._process}-{next(self._numbers)}"

    @property
    def open_connections(self) -> int:
        """How many connections are open, those of removed listeners included."""
        return sum(len(listener.connections) for listener in chain(self._listeners.values(), self._leaving))

    def commit(self, plan: Plan, sockets: Mapping[str, socket.socket], fillers: Fillers = NO_FILLERS) -> None:
        """Put a plan in force. `sockets`, by key, are those new to this slot, listening, and ours from now on.

        Removed listeners drain; on an address that none uses any more, what is queued is accepted first, but for the
        `fillers`, where nobody accepted so far.
        """
        self._paused = frozenset()
        self._pass_over(fillers)
        self._empty_where_accept_changes(plan)
        former = self._listeners
        self._listeners = {}
        for name, listener_plan in plan.listeners.items():
            listener = former.pop(name, None)
            if listener is None:
                listener = Listener(self, listener_plan)
            listener.take_up(listener_plan)
            self._listeners[name] = listener
        self._by_socket = {listener.in_force.plan.socket: listener for listener in self._listeners.values()}
        for key, acceptor in list(self._acceptors.items()):
            target = self._by_socket.get(key[0])
            if target is None:
                self._retire(key)
            else:
                acceptor.accepted, acceptor.failed = target.accepted, target.books.accept_failed
                self._attend(acceptor, target.in_force.plan.accept)
        for name, sock in sockets.items():
            self._accept_on(name, self._slot, sock, fillers)
        for listener in former.values():
            self._leaving.add(listener)
            listener.drain()
        self.connection_left()

    def named(self, names: Iterable[str]) -> Iterator[Listener]:
        """The listeners of these names, as far as there are any."""
        return (self._listeners[name] for name in names if name in self._listeners)

    def pause(self, keys: Collection[str]) -> None:
        """Accept what is queued at these addresses, then nobody until the next plan, or `resume`."""
        self._paused = frozenset(keys)
        for (key, _), acceptor in self._acceptors.items():
            if key in self._paused:
                acceptor.empty()
                acceptor.pause()

    def resume(self, fillers: Fillers) -> None:
        """Accept again where that was paused."""
        paused, self._paused = self._paused, frozenset()
        self._pass_over(fillers)
        for (key, _), acceptor in self._acceptors.items():
            if key in paused:
                self._attend(acceptor, self._by_socket[key].in_force.plan.accept)

    def adopt(self, slot: int, sockets: Mapping[str, socket.socket], fillers: Fillers = NO_FILLERS) -> None:
        """Accept for another slot too, on these sockets, which belong to this from now on."""
        for name, sock in sockets.items():
            self._accept_on(name, slot, sock, fillers)

    def release(self, slot: int) -> None:
        """Accept no more for another slot; what queues there is left to its own worker."""
        self._hand_over([key for key in self._acceptors if key[1] == slot != self._slot])

    def drain(self, over: float = 0.0, *, succeeded: bool = False) -> None:
        """Accept what is queued and stop listening; finish what is in progress, and close the rest in order.

        `over`: the seconds in which to close. `succeeded`: what is queued is left to whoever accepts on it now.
        """
        self._draining = True
        if succeeded:
            self._hand_over(list(self._acceptors))
        for key in list(self._acceptors):
            self._retire(key)
        for listener in chain(tuple(self._listeners.values()), tuple(self._leaving)):
            listener.drain(over)

    def abort(self) -> None:
        """Reset every connection, and accept no more."""
        self._hand_over(list(self._acceptors))
        for listener in chain(tuple(self._listeners.values()), tuple(self._leaving)):
            for connection in tuple(listener.connections):
                connection.abort(CloseReason.ABORTED)

    async def closed(self) -> None:
        """Wait until no connection is open."""
        while self.open_connections:
            waiting = self.loop.create_future()
            self._waiting.append(waiting)
            await waiting

    def connection_left(self) -> None:
        """A listener has no connection any more: forget it if it was removed, and tell those who wait for that."""
        self._leaving = {listener for listener in self._leaving if listener.connections}
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
        acceptor = Acceptor(self.loop, sock, listener.accepted, listener.books.accept_failed)
        self._acceptors[name, slot] = acceptor
        acceptor.pass_over(fillers.get(name, NOBODY))
        accept = listener.in_force.plan.accept
        if accept is Accept.REFUSE and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            acceptor.empty()  # what a predecessor has left
        if name in self._paused:
            acceptor.pause()
        else:
            self._attend(acceptor, accept)

    def _attend(self, acceptor: Acceptor, accept: Accept) -> None:
        """Accept, or do not, as the mode wants it."""
        if accept is Accept.REFUSE:
            acceptor.stop()
        elif accept is Accept.STALL:
            acceptor.pause()
        else:
            acceptor.resume()

    def _pass_over(self, fillers: Fillers) -> None:
        for (name, _), acceptor in self._acceptors.items():
            if not acceptor.accepting:  # elsewhere they have been passed over
                acceptor.pass_over(fillers.get(name, NOBODY))

    def _empty_where_accept_changes(self, plan: Plan) -> None:
        accepts = {each.socket: each.accept for each in plan.listeners.values()}
        for (name, _), acceptor in self._acceptors.items():
            accept = accepts.get(name)
            if accept in (None, Accept.STALL):
                continue  # it is emptied when it is retired; or has been, and is full now
            if accept is not self._by_socket[name].in_force.plan.accept:
                acceptor.empty()

    def _hand_over(self, keys: Iterable[tuple[str, int]]) -> None:
        """Accept no more on these sockets, and leave what is queued there to others."""
        for key in keys:
            acceptor = self._acceptors.pop(key)
            acceptor.stop()
            acceptor.sock.close()

    def _retire(self, key: tuple[str, int]) -> None:
        """Accept what is queued on a socket, then stop listening, for whoever else holds it too, and close it."""
        acceptor = self._acceptors.pop(key)
        sock = acceptor.sock
        silence(sock)  # or whoever comes between the next steps is reset
        acceptor.empty()
        acceptor.stop()
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError as error:  # it did not listen any more
            log.debug("stopped listening already: %s", error)
        end_silence(sock)  # others may hold it, and listen again
        sock.close()


def age(connection: Connection) -> float:
    """What connections are sorted by: the oldest first."""
    return connection.session.born


def packed(family: int, address: object) -> bytes:
    """The peer's address in network order; empty where there is none (a Unix socket)."""
    if not isinstance(address, tuple):
        return b""
    return socket.inet_pton(family, str(address[0]).partition("%")[0])  # without the zone
