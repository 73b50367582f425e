"""The listening sockets: one per address and slot, kept here while the address is listened on.

A worker gets a copy of those of its slot. Connections queued on a socket survive the worker, because this process
holds the socket too, and are accepted by the next worker.
"""

# Rule: a socket is bound before a change is decided, and answers clients only once it is.
# Rule: a socket that will stop listening has a SYN filter until no handshake is in progress there: see `closing`.
# Rule: a bound socket that is not kept is closed.

import errno
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from answerback.internal.v1.link_pb2 import Filler
from answerback.language.addresses import Listening, UnixAddress, of_key
from answerback.supervisor.errors import ChangeFailed
from answerback.supervisor.sockets import unix
from answerback.supervisor.sockets.backlog_filler import BacklogFiller
from answerback.supervisor.sockets.listen_state import (
    COMMIT,
    INITIAL,
    PREPARE,
    UNDO,
    ListenState,
    filter_new,
    listens,
    refuse,
)
from answerback.supervisor.sockets.unix import SocketFile

REASONS: Mapping[int, str] = {
    errno.EADDRINUSE: "the port is in use; `ss -ltnp` shows the process",
    errno.EACCES: "a privileged port; choose one from {first_free} on, or lower net.ipv4.ip_unprivileged_port_start",
    errno.EADDRNOTAVAIL: "not an address of this machine",
    errno.EAFNOSUPPORT: "this machine does not support {family}",
    errno.EMFILE: "no descriptor is free (RLIMIT_NOFILE): {sockets} are needed for each address",
}

UNCHANGED: Mapping[str, ListenState] = {}


class CannotListen(Exception):
    """Some addresses cannot be listened on; `reasons` says why, by key."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {reason}" for key, reason in reasons.items()))
        self.reasons = dict(reasons)


@dataclass(frozen=True, slots=True)
class Bound:
    """The sockets of one address, by slot."""

    wanted: Listening
    sockets: tuple[socket.socket, ...]
    """The sockets by slot; a Unix socket is the same for each slot."""
    address: str
    """HOST:PORT, with the port that the kernel chose for 0; or `unix:PATH`."""
    file: SocketFile | None = None


@dataclass(slots=True)
class Sockets:
    """The listening sockets by key: the configured address, normalised, plus `#NAME` for port 0."""

    slots: int
    _bound: dict[str, Bound] = field(default_factory=dict)
    _states: dict[str, ListenState] = field(default_factory=dict)
    _filler: BacklogFiller = field(default_factory=BacklogFiller)

    @property
    def keys(self) -> Collection[str]:
        """The keys of all addresses that are listened on."""
        return self._bound.keys()

    def of(self, slot: int) -> dict[str, socket.socket]:
        """Return the sockets of one slot, by key."""
        return {
            key: bound.sockets[slot]
            for key, bound in self._bound.items()
            if self._states[key] is not ListenState.CLOSING
        }

    @property
    def closing(self) -> dict[str, Sequence[socket.socket]]:
        """The sockets, by key, that have a SYN filter and will be closed when no handshake is in progress."""

        def waits(key: str, bound: Bound) -> bool:
            state = self._states[key]
            return state is ListenState.CLOSING or (state is ListenState.REFUSED and any(map(listens, bound.sockets)))

        return {key: bound.sockets for key, bound in self._bound.items() if waits(key, bound)}

    def to_be_silent(self, states: Mapping[str, ListenState]) -> list[str]:
        """Return the addresses that listen, and will not once `states` is decided."""
        silent = (ListenState.REFUSED, ListenState.CLOSING)
        return [key for key, state in self._states.items() if state not in silent and states.get(key) in silent]

    def silence_all(self) -> None:
        """Set SYN filters everywhere."""
        for key, bound in self._bound.items():
            self._states[key] = ListenState.CLOSING
            for sock in bound.sockets:
                filter_new(sock)

    def address(self, key: str) -> str:
        """Return where a key listens, HOST:PORT; empty if it does not."""
        bound = self._bound.get(key)
        return bound.address if bound else ""

    @contextmanager
    def binding(self, keys: Iterable[str]) -> Iterator[dict[str, Bound]]:
        """Bind the addresses not yet listened on; closed at the end, except those that `listen` was told to keep.

        Raises CannotListen with every reason; then nothing is left bound.
        """
        bound: dict[str, Bound] = {}
        reasons: dict[str, str] = {}
        try:
            for key in keys:
                if key in self._bound or key in bound:
                    continue
                wanted = of_key(key)
                ours = any(wanted.overlaps(other.wanted) for other in (*self._bound.values(), *bound.values()))
                try:
                    bound[key] = bind(wanted, self.slots, beside_ours=ours)
                except OSError as error:
                    reasons[key] = reason(error, wanted, self.slots)
            if reasons:
                raise CannotListen(reasons)
            yield bound
        finally:
            for key, sockets in bound.items():
                if self._bound.get(key) is not sockets:
                    _withdraw(sockets)

    def fillers(self) -> Collection[Filler]:
        """The connections of our own that fill queues, or still wait in one that they filled."""
        self.forget_fillers()
        return self._filler.names()

    def to_be_stalled(self, states: Mapping[str, ListenState]) -> list[str]:
        """Return the addresses at which no worker may accept any more before `changing`."""
        return [key for key in self._not_stalled(self._states) if states.get(key) is ListenState.STALLED]

    @asynccontextmanager
    async def changing(
        self, bound: Mapping[str, Bound], states: Mapping[str, ListenState] = UNCHANGED
    ) -> AsyncIterator[None]:
        """Change the sockets; the caller decides within the block.

        Listen on new addresses, and set the states in `states`.

        Addresses not in `states`: new ones are open, the rest stays unchanged. Raises CannotListen, ChangeFailed;
        then, and if an exception is raised within the block, everything is as before. Those that are `closing`
        afterwards have clients that are still to be accepted: see `finish`.
        """
        changed = [key for key in self._bound if states.get(key, self._states[key]) is not self._states[key]]
        silent_before = {sock for key in changed for sock in self._bound[key].sockets if not listens(sock)}
        try:
            self._prepare(bound, changed, states)
            await self._fill({**bound, **{key: self._bound[key] for key in changed}}, states)
            yield
        except BaseException:
            for key, address in bound.items():
                _withdraw(address)
                self._filler.close(key)
            for key in changed:
                self._undo(key, silent_before)
            raise
        self._bound.update(bound)
        self._states |= dict.fromkeys(bound, ListenState.OPEN) | {
            key: states[key] for key in (*bound, *changed) if key in states
        }
        for key in (*bound, *changed):
            for sock in self._bound[key].sockets:
                COMMIT[self._states[key]](sock)

    def finish(self, keys: Iterable[str], slots: Collection[int]) -> None:
        """Queued connections at these addresses were accepted on these slots: refuse, or close our copies."""
        for key in keys:
            if self._states.get(key) is ListenState.CLOSING:
                self.close([key])
            elif self._states.get(key) is ListenState.REFUSED:
                for slot in slots:
                    refuse(self._bound[key].sockets[slot])

    def forget_fillers(self) -> None:
        """Close fillers that are not needed any more and that the other end has closed."""
        self._filler.forget_ended(self._not_stalled(self._filler.keys))

    def close(self, keys: Iterable[str]) -> None:
        """Close our copies of these addresses' sockets."""
        for key in list(keys):
            if key in self._bound:
                _close(self._bound.pop(key))
                del self._states[key]
                self._filler.close(key)

    def close_all(self) -> None:
        """Close our copies of all sockets."""
        self.close(list(self._bound))

    def _prepare(self, bound: Mapping[str, Bound], changed: Iterable[str], states: Mapping[str, ListenState]) -> None:
        """Change the listen states, as far as that can be undone; raises CannotListen with every reason."""
        reasons: dict[str, str] = {}
        steps = [(key, address, INITIAL[states.get(key, ListenState.OPEN)]) for key, address in bound.items()]
        steps += [(key, self._bound[key], PREPARE[states[key]]) for key in changed]
        for key, address, step in steps:
            try:
                for sock in address.sockets:
                    step(sock)
            except OSError as error:  # another process bound it meanwhile
                reasons[key] = reason(error, address.wanted, self.slots)
        if reasons:
            raise CannotListen(reasons)

    async def _fill(self, addresses: Mapping[str, Bound], states: Mapping[str, ListenState]) -> None:
        for key, address in addresses.items():
            if states.get(key) is ListenState.STALLED:
                try:
                    await self._filler.fill(key, address.sockets)
                except OSError as error:
                    why = error.strerror or error
                    raise ChangeFailed(f"{address.address} cannot be stalled: {why}") from None

    def _not_stalled(self, keys: Iterable[str]) -> list[str]:
        return [key for key in keys if self._states.get(key) is not ListenState.STALLED]

    def _undo(self, key: str, silent_before: Collection[socket.socket]) -> None:
        for sock in self._bound[key].sockets:
            if sock in silent_before:
                refuse(sock)
            else:
                UNDO[self._states[key]](sock)


def bind(wanted: Listening, slots: int, *, beside_ours: bool = False) -> Bound:
    """Bind one socket for each slot. Raises OSError.

    The first one binds without SO_REUSEPORT, so that a port in use is an error, and then sets it, so that the others
    can join. Beside one of ours (127.0.0.1:80 and 0.0.0.0:80), which has it set, it must be set from the beginning.
    """
    if isinstance(wanted, UnixAddress):
        shared, file = unix.bind(wanted.path)
        return Bound(wanted, (shared,) * slots, str(wanted), file)
    family = socket.AF_INET6 if wanted.is_ipv6 else socket.AF_INET
    made: list[socket.socket] = []

    def one(port: int, *, joins: bool) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        made.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if joins or beside_ours:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((wanted.host, port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return sock

    try:
        first = one(wanted.port, joins=False)
        port = first.getsockname()[1]
        # A kernel-assigned port would be lost when its socket stops listening: all join the one that got it.
        sockets = [one(port, joins=True) for _ in range(slots if wanted.port == 0 else slots - 1)]
    except OSError:
        for sock in made:
            sock.close()
        raise
    if wanted.port == 0:
        first.close()
    else:
        sockets.insert(0, first)
    return Bound(wanted, tuple(sockets), str(replace(wanted, port=port)))


def reason(error: OSError, wanted: Listening, slots: int) -> str:
    """Return why an address cannot be listened on, as a message."""
    if isinstance(wanted, UnixAddress):
        return unix.reason(error)
    known = REASONS.get(error.errno or 0)
    if known is None:
        return f"cannot listen: {error.strerror or error}"
    name = "IPv6" if wanted.is_ipv6 else "IPv4"
    first_free = _first_unprivileged_port() if error.errno == errno.EACCES else 0
    return known.format(first_free=first_free, family=name, sockets=slots)


def _first_unprivileged_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_bytes())
    except (OSError, ValueError):
        return 1024


def _withdraw(bound: Bound) -> None:
    for sock in bound.sockets:
        with suppress(OSError):  # ENOTCONN: it did not listen yet
            sock.shutdown(socket.SHUT_RDWR)  # at once for every copy, where close() waits for the last one
    _close(bound)


def _close(bound: Bound) -> None:
    if bound.file is not None:
        bound.file.remove()
    for sock in bound.sockets:
        sock.close()
