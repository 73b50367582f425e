"""Fills listen queues with connections of our own, so that clients get no answer. No privilege is needed.

A socket that listens with a backlog of 0 has one place in its queue. While it is taken, the kernel ignores every SYN:
to the client it is as if no packet arrived.
"""

# Rule: keep our end of a filler connection open until the worker closes the other end: until then no other client can
#       have its source address, so the address identifies it.
# Rule: no worker accepts on a socket while it is filled, nor afterwards until the listen state changes.

import asyncio
import errno
import socket
import struct
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from answerback.core.wildcards import destination
from answerback.internal.v1.link_pb2 import Filler
from answerback.net.syn_filter import pass_filter

# The kernel chooses a socket for a connection by a hash of its address. Of n sockets, one is still empty after 32 n
# connections in one of 10^13 cases.
TRIES_PER_SOCKET: Final = 32
CONNECT_SECONDS: Final = 0.25  # seconds for one connection: it hangs if its queue is full; a retry uses another queue
SECONDS: Final = 2.0  # seconds for all

TCP_LISTEN: Final = 10

Address = tuple[str | int, ...]


class BacklogFiller:
    """Connections of our own, by the key of the address they fill."""

    def __init__(self) -> None:
        self._by_key: dict[str, dict[socket.socket, Filler]] = {}

    @property
    def keys(self) -> Collection[str]:
        """The keys of the addresses that have fillers."""
        return self._by_key.keys()

    def names(self) -> list[Filler]:
        """The source addresses of the fillers."""
        return [name for fillers in self._by_key.values() for name in fillers.values()]

    async def fill(self, key: str, sockets: Sequence[socket.socket]) -> None:
        """Fill the queue of each of these sockets, which listen at one address.

        Raises OSError; then some may be filled.
        """
        host, *rest = sockets[0].getsockname()
        where = destination(host), *rest
        fillers = self._by_key.setdefault(key, {})
        until = asyncio.get_running_loop().time() + SECONDS
        for _ in range(TRIES_PER_SOCKET * len(sockets)):
            if all(map(queued, sockets)) or asyncio.get_running_loop().time() > until:
                break
            if (sock := await _connected(sockets[0].family, where)) is not None:
                host, port = sock.getsockname()[:2]
                fillers[sock] = Filler(socket=key, host=host, port=port)
        if not all(map(queued, sockets)):
            raise OSError(errno.ETIMEDOUT, "own connections to the listener fail (is there a packet filter?)")
        for sock in sockets:
            sock.listen(0)

    def forget_ended(self, keys: Iterable[str]) -> None:
        """Close fillers at these addresses that the other end has closed."""
        for key in keys:
            fillers = self._by_key[key]
            for sock in [sock for sock in fillers if _ended(sock)]:
                sock.close()
                del fillers[sock]
            if not fillers:
                del self._by_key[key]

    def close(self, key: str) -> None:
        """Close the fillers of an address that is not listened on any more."""
        for sock in self._by_key.pop(key, {}):
            sock.close()


def queued(sock: socket.socket) -> int:
    """Return how many connections are queued on a listening socket: tcpi_unacked of tcp_info (linux/tcp.h)."""
    state, waiting = struct.unpack_from("=B23xI", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28))
    return int(waiting) if state == TCP_LISTEN else 0


async def _connected(family: int, where: Address) -> socket.socket | None:
    """Connect; None if it took too long. Raises OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        pass_filter(sock)  # a socket that did not listen before has a SYN filter until the decision
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
    except OSError:  # it was reset: the socket it was queued on does not listen any more
        return True
