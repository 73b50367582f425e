"""Queues filled by connections of our own: whoever else connects gets no answer, and nobody needs a privilege for it.

A socket that listens with a backlog of 0 has one place. While somebody waits there, the kernel passes over every SYN:
to the client it is as if no packet arrived.
"""

# Rule: a filler is kept open until whoever has accepted it closes it. Until then its address is nobody else's, and who
#       knows the address knows the connection.
# Rule: nobody accepts on a socket while it is filled, nor afterwards until it is to be so no more.

import asyncio
import errno
import socket
import struct
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from answerback.internal.v1.link_pb2 import Filler
from answerback.net.syn_filter import reach_silent

# Where a connection queues is up to a hash of its address. Of n sockets, one is without any after 32 n of them in
# one of 10^13 cases.
TRIES_PER_SOCKET: Final = 32
CONNECT_SECONDS: Final = 0.25  # of one: it hangs if it met a queue that is full; another will meet another
SECONDS: Final = 2.0  # of all

TCP_LISTEN: Final = 10
LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - is reached, not bound

Address = tuple[str | int, ...]


class Fillers:
    """Connections of our own, by the key of the address to which they were made."""

    def __init__(self) -> None:
        self._by_key: dict[str, dict[socket.socket, Filler]] = {}

    @property
    def keys(self) -> Collection[str]:
        """Of the addresses to which there are some."""
        return self._by_key.keys()

    def names(self) -> list[Filler]:
        """Where they come from."""
        return [name for fillers in self._by_key.values() for name in fillers.values()]

    async def fill(self, key: str, sockets: Sequence[socket.socket]) -> None:
        """Have somebody queue on each of these sockets, which listen at one address, and nobody come after.

        Raises OSError; then some may be filled.
        """
        where = LOOPBACK.get(sockets[0].getsockname()[0], sockets[0].getsockname()[0]), *sockets[0].getsockname()[1:]
        fillers = self._by_key.setdefault(key, {})
        until = asyncio.get_running_loop().time() + SECONDS
        for _ in range(TRIES_PER_SOCKET * len(sockets)):
            if all(map(queued, sockets)) or asyncio.get_running_loop().time() > until:
                break
            if (sock := await _connected(sockets[0].family, where)) is not None:
                host, port = sock.getsockname()[:2]
                fillers[sock] = Filler(socket=key, host=host, port=port)
        if not all(map(queued, sockets)):
            raise OSError(errno.ETIMEDOUT, "connections of our own do not come through (is there a packet filter?)")
        for sock in sockets:
            sock.listen(0)

    def forget_ended(self, keys: Iterable[str]) -> None:
        """Close those that have been closed at the other end, at these addresses."""
        for key in keys:
            fillers = self._by_key[key]
            for sock in [sock for sock in fillers if _ended(sock)]:
                sock.close()
                del fillers[sock]
            if not fillers:
                del self._by_key[key]

    def close(self, key: str) -> None:
        """Close those to an address at which nobody listens any more."""
        for sock in self._by_key.pop(key, {}):
            sock.close()


def queued(sock: socket.socket) -> int:
    """How many wait to be accepted on a socket that listens: tcpi_unacked of tcp_info (linux/tcp.h)."""
    state, waiting = struct.unpack_from("=B23xI", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28))
    return int(waiting) if state == TCP_LISTEN else 0


async def _connected(family: int, where: Address) -> socket.socket | None:
    """A connection; None if it took too long. Raises OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        reach_silent(sock)  # what did not listen before is silent until the decision
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(sock, where)
    except TimeoutError:
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    return sock


def _ended(sock: socket.socket) -> bool:
    try:
        return not sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:  # it was reset: where it waited, nobody listens any more
        return True
