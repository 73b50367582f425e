"""The listening sockets: one per address and slot, kept here for as long as the address is listened on.

A worker gets a copy of those of its slot. What queues on a socket survives the worker, because this process holds it
too, and waits for whoever accepts on it next.
"""

# Rule: a socket is bound before a change is decided and listens only once it is.
# Rule: what is bound and not kept is closed.

import errno
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from answerback.config.addresses import Listening, UnixAddress, of_key
from answerback.supervisor import unix_sockets
from answerback.supervisor.unix_sockets import SocketFile

# A backlog of 100 left 1,654 of 2,000 clients unserved after a stall of 200 ms; 4,096 served all. The kernel takes the
# lesser of it and net.core.somaxconn, which is 4096 too.
BACKLOG = 4096

REASONS: Mapping[int, str] = {
    errno.EADDRINUSE: "the port is taken; `ss -ltnp` shows by which process",
    errno.EACCES: "a privileged port; choose one from {first_free} on, or lower net.ipv4.ip_unprivileged_port_start",
    errno.EADDRNOTAVAIL: "no address of this machine",
    errno.EAFNOSUPPORT: "this machine has no {family}",
    errno.EMFILE: "no descriptor is free (RLIMIT_NOFILE): {sockets} are needed for each address",
}


class CannotListen(Exception):
    """Addresses cannot be listened on; `reasons` says why, by key."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {reason}" for key, reason in reasons.items()))
        self.reasons = dict(reasons)


@dataclass(frozen=True, slots=True)
class Bound:
    """The sockets of one address, by slot."""

    wanted: Listening
    sockets: tuple[socket.socket, ...]
    """A Unix socket is the same for each slot."""
    address: str
    """HOST:PORT, with the port that the kernel chose for 0; or `unix:PATH`."""
    file: SocketFile | None = None


@dataclass(slots=True)
class Sockets:
    """What is listened on, by key: the address as configured, normalised, with `#NAME` behind it for port 0."""

    slots: int
    _kept: dict[str, Bound] = field(default_factory=dict)

    @property
    def keys(self) -> Collection[str]:
        """Of every address that is listened on."""
        return self._kept.keys()

    def of(self, slot: int) -> dict[str, socket.socket]:
        """The sockets of one slot, by key."""
        return {key: bound.sockets[slot] for key, bound in self._kept.items()}

    def address(self, key: str) -> str:
        """Where a key listens, HOST:PORT; empty if it does not."""
        bound = self._kept.get(key)
        return bound.address if bound else ""

    @contextmanager
    def binding(self, keys: Iterable[str]) -> Iterator[dict[str, Bound]]:
        """Bind what is not yet listened on; closed at the end, but for what `listen` was told to keep.

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

    def listen(self, bound: Mapping[str, Bound]) -> None:
        """Listen, and keep the sockets. Raises CannotListen; then none is kept."""
        reasons: dict[str, str] = {}
        for key, address in bound.items():
            try:
                for sock in address.sockets:
                    sock.listen(BACKLOG)
            except OSError as error:  # whoever bound it meanwhile was faster
                reasons[key] = reason(error, address.wanted, self.slots)
        if reasons:
            raise CannotListen(reasons)
        self._kept.update(bound)

    def close(self, keys: Iterable[str]) -> None:
        """Close our copies."""
        for key in keys:
            if key in self._kept:
                _close(self._kept.pop(key))

    def withdraw(self, keys: Iterable[str]) -> None:
        """Listen no more, in whatever process a copy is, and close ours: nobody was to connect here."""
        for key in keys:
            if key in self._kept:
                _withdraw(self._kept.pop(key))

    def close_all(self) -> None:
        """Close our copies of all."""
        self.close(list(self._kept))


def bind(wanted: Listening, slots: int, *, beside_ours: bool = False) -> Bound:
    """Bind one socket for each slot. Raises OSError.

    The first one binds without SO_REUSEPORT, so that a port in use is an error, and then sets it, so that the others
    can join. Beside one of ours (127.0.0.1:80 and 0.0.0.0:80), which have it set, it must be set from the beginning.
    """
    if isinstance(wanted, UnixAddress):
        shared, file = unix_sockets.bind(wanted.path)
        return Bound(wanted, (shared,) * slots, str(wanted), file)
    family, port = socket.AF_INET6 if wanted.is_ipv6 else socket.AF_INET, wanted.port
    sockets: list[socket.socket] = []
    try:
        for slot in range(slots):
            sock = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if slot or beside_ours:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((wanted.host, port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            port = sock.getsockname()[1]  # the others join the one that the kernel chose
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return Bound(wanted, tuple(sockets), str(replace(wanted, port=port)))


def reason(error: OSError, wanted: Listening, slots: int) -> str:
    """Why an address cannot be listened on, for people."""
    if isinstance(wanted, UnixAddress):
        return unix_sockets.reason(error)
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
