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
from answerback.supervisor.sockets.backlog_filler import Fillers
from answerback.supervisor.sockets.listen_state import (
    BEGIN,
    SETTLE,
    TURN,
    TURN_BACK,
    ListenState,
    hush,
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

ALL_AS_THEY_ARE: Mapping[str, ListenState] = {}


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
    """By slot; a Unix socket is the same for each slot."""
    address: str
    """HOST:PORT, with the port that the kernel chose for 0; or `unix:PATH`."""
    file: SocketFile | None = None


@dataclass(slots=True)
class Sockets:
    """The listening sockets by key: the configured address, normalised, plus `#NAME` for port 0."""

    slots: int
    _kept: dict[str, Bound] = field(default_factory=dict)
    _doors: dict[str, ListenState] = field(default_factory=dict)
    _fillers: Fillers = field(default_factory=Fillers)

    @property
    def keys(self) -> Collection[str]:
        """The keys of all addresses that are listened on."""
        return self._kept.keys()

    def of(self, slot: int) -> dict[str, socket.socket]:
        """Return the sockets of one slot, by key."""
        return {
            key: bound.sockets[slot] for key, bound in self._kept.items() if self._doors[key] is not ListenState.CLOSING
        }

    @property
    def closing(self) -> dict[str, Sequence[socket.socket]]:
        """The sockets, by key, that have a SYN filter and will be closed when no handshake is in progress."""

        def waits(key: str, bound: Bound) -> bool:
            door = self._doors[key]
            return door is ListenState.CLOSING or (door is ListenState.REFUSED and any(map(listens, bound.sockets)))

        return {key: bound.sockets for key, bound in self._kept.items() if waits(key, bound)}

    def to_be_silent(self, doors: Mapping[str, ListenState]) -> list[str]:
        """Return the addresses that listen, and will not once `doors` is decided."""
        silent = (ListenState.REFUSED, ListenState.CLOSING)
        return [key for key, door in self._doors.items() if door not in silent and doors.get(key) in silent]

    def hush_all(self) -> None:
        """Set SYN filters everywhere."""
        for key, bound in self._kept.items():
            self._doors[key] = ListenState.CLOSING
            for sock in bound.sockets:
                hush(sock)

    def address(self, key: str) -> str:
        """Return where a key listens, HOST:PORT; empty if it does not."""
        bound = self._kept.get(key)
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
                if key in self._kept or key in bound:
                    continue
                wanted = of_key(key)
                ours = any(wanted.overlaps(other.wanted) for other in (*self._kept.values(), *bound.values()))
                try:
                    bound[key] = bind(wanted, self.slots, beside_ours=ours)
                except OSError as error:
                    reasons[key] = reason(error, wanted, self.slots)
            if reasons:
                raise CannotListen(reasons)
            yield bound
        finally:
            for key, sockets in bound.items():
                if self._kept.get(key) is not sockets:
                    _withdraw(sockets)

    def fillers(self) -> Collection[Filler]:
        """The connections of our own that fill queues, or still wait in one that they filled."""
        self.forget_fillers()
        return self._fillers.names()

    def to_be_stalled(self, doors: Mapping[str, ListenState]) -> list[str]:
        """Return the addresses at which no worker may accept any more before `turning`."""
        return [key for key in self._not_stalled(self._doors) if doors.get(key) is ListenState.STALLED]

    @asynccontextmanager
    async def turning(
        self, bound: Mapping[str, Bound], doors: Mapping[str, ListenState] = ALL_AS_THEY_ARE
    ) -> AsyncIterator[None]:
        """Change the sockets; the caller decides within the block.

        Listen on new addresses, and set the states in `doors`.

        Addresses not in `doors`: new ones are open, the rest stays unchanged. Raises CannotListen, ChangeFailed;
        then, and if an exception is raised within the block, everything is as before. Those that are `closing`
        afterwards have clients that are still to be accepted: see `finish`.
        """
        changed = [key for key in self._kept if doors.get(key, self._doors[key]) is not self._doors[key]]
        shut = {sock for key in changed for sock in self._kept[key].sockets if not listens(sock)}
        try:
            self._turn(bound, changed, doors)
            await self._fill({**bound, **{key: self._kept[key] for key in changed}}, doors)
            yield
        except BaseException:
            for key, address in bound.items():
                _withdraw(address)
                self._fillers.close(key)
            for key in changed:
                self._turn_back(key, shut)
            raise
        self._kept.update(bound)
        self._doors |= dict.fromkeys(bound, ListenState.OPEN) | {
            key: doors[key] for key in (*bound, *changed) if key in doors
        }
        for key in (*bound, *changed):
            for sock in self._kept[key].sockets:
                SETTLE[self._doors[key]](sock)

    def finish(self, keys: Iterable[str], slots: Collection[int]) -> None:
        """Queued connections at these addresses were accepted on these slots: refuse, or close our copies."""
        for key in keys:
            if self._doors.get(key) is ListenState.CLOSING:
                self.close([key])
            elif self._doors.get(key) is ListenState.REFUSED:
                for slot in slots:
                    refuse(self._kept[key].sockets[slot])

    def forget_fillers(self) -> None:
        """Close fillers that are not needed any more and that the other end has closed."""
        self._fillers.forget_ended(self._not_stalled(self._fillers.keys))

    def close(self, keys: Iterable[str]) -> None:
        """Close our copies of these addresses' sockets."""
        for key in list(keys):
            if key in self._kept:
                _close(self._kept.pop(key))
                del self._doors[key]
                self._fillers.close(key)

    def close_all(self) -> None:
        """Close our copies of all sockets."""
        self.close(list(self._kept))

    def _turn(self, bound: Mapping[str, Bound], changed: Iterable[str], doors: Mapping[str, ListenState]) -> None:
        """Change the listen states, as far as that can be undone; raises CannotListen with every reason."""
        reasons: dict[str, str] = {}
        ways = [(key, address, BEGIN[doors.get(key, ListenState.OPEN)]) for key, address in bound.items()]
        ways += [(key, self._kept[key], TURN[doors[key]]) for key in changed]
        for key, address, way in ways:
            try:
                for sock in address.sockets:
                    way(sock)
            except OSError as error:  # another process bound it meanwhile
                reasons[key] = reason(error, address.wanted, self.slots)
        if reasons:
            raise CannotListen(reasons)

    async def _fill(self, addresses: Mapping[str, Bound], doors: Mapping[str, ListenState]) -> None:
        for key, address in addresses.items():
            if doors.get(key) is ListenState.STALLED:
                try:
                    await self._fillers.fill(key, address.sockets)
                except OSError as error:
                    why = error.strerror or error
                    raise ChangeFailed(f"{address.address} cannot be stalled: {why}; nothing has changed") from None

    def _not_stalled(self, keys: Iterable[str]) -> list[str]:
        return [key for key in keys if self._doors.get(key) is not ListenState.STALLED]

    def _turn_back(self, key: str, shut: Collection[socket.socket]) -> None:
        for sock in self._kept[key].sockets:
            if sock in shut:
                refuse(sock)
            else:
                TURN_BACK[self._doors[key]](sock)


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
