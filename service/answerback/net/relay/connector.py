"""Connects to an upstream: its addresses are tried one after another, a little apart (RFC 8305, Happy Eyeballs)."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Final

from answerback.core.tls import Channel, TlsError, UpstreamTls
from answerback.core.upstream import Upstream
from answerback.net.delivery import bound_send_time
from answerback.net.relay.beginning import Beginning, UpstreamCounters
from answerback.net.relay.relaying import Relaying
from answerback.net.relay.resolver import Address, Resolver

ATTEMPT_DELAY_SECONDS: Final = 0.25  # before the next address is tried as well (RFC 8305, section 5)
FULL_QUEUE_SECONDS: Final = 0.01  # before another try, while the queue of a Unix socket is full


class NotConnected(Exception):
    """No connection could be made; `error` is one of `listener_counters.UPSTREAM_ERRORS`, or the name of an errno."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


async def connect(
    loop: asyncio.AbstractEventLoop,
    relaying: Relaying,
    upstream: Upstream,
    write_timeout: float,
    counters: UpstreamCounters,
    header: bytes = b"",
) -> tuple[socket.socket, Channel | None]:
    """Return a connected, non-blocking socket, and its TLS if the upstream has some. Raises NotConnected.

    `write_timeout`: after this many seconds without progress the kernel ends the connection by itself. `header`: what
    the connection begins with, before TLS.
    """
    channel = None
    try:
        async with asyncio.timeout(upstream.connect_timeout):
            sock = await _connected(loop, relaying.resolver, upstream)
            if header or upstream.tls is not None:
                channel = await _begun(Beginning(loop, sock, counters, relaying.handshakes), header, upstream.tls)
    except TlsError as error:
        assert upstream.tls is not None
        upstream.tls.failed(str(error))
        raise NotConnected("tls") from None
    except TimeoutError as error:
        if error.errno is None:
            raise NotConnected("timeout") from None
        raise NotConnected(_name(error)) from None
    except socket.gaierror:
        raise NotConnected("name") from None
    except OSError as error:
        raise NotConnected(_name(error)) from None
    if not upstream.path:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound_send_time(sock, write_timeout)
    return sock, channel


async def _begun(beginning: Beginning, header: bytes, tls: UpstreamTls | None) -> Channel | None:
    try:
        if header:
            await beginning.send(header)
        if tls is None:
            return None
        channel = tls.channel()
        await beginning.shake_hands(channel)
    except BaseException:
        beginning.sock.close()
        raise
    return channel


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "other")


async def _connected(loop: asyncio.AbstractEventLoop, resolver: Resolver, upstream: Upstream) -> socket.socket:
    if upstream.path:
        return await _connect_unix(upstream.path)
    addresses = await resolver.resolve(upstream.host, upstream.port)
    if len(addresses) == 1:
        return await _attempt(loop, addresses[0])
    return await _race(loop, interleaved(addresses))


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses with their families in turn, the first one's first (RFC 8305, section 4)."""
    first = addresses[0][0]
    same = [each for each in addresses if each[0] == first]
    others = [each for each in addresses if each[0] != first]
    return [each for each in chain.from_iterable(zip_longest(same, others)) if each is not None]


async def _race(loop: asyncio.AbstractEventLoop, addresses: Sequence[Address]) -> socket.socket:
    """Try the addresses, each when the one before has failed or taken long. Raises the last failure."""
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    attempts: set[asyncio.Task[socket.socket]] = set()
    left = list(addresses)
    try:
        while attempts or left:
            if left:
                attempts.add(loop.create_task(_attempt(loop, left.pop(0))))
            done, attempts = await asyncio.wait(
                attempts,
                timeout=ATTEMPT_DELAY_SECONDS if left else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            found = [attempt.result() for attempt in done if attempt.exception() is None]
            for spare in found[1:]:
                spare.close()
            if found:
                return found[0]
            for attempt in done:
                error = attempt.exception()
                if not isinstance(error, OSError):
                    raise error or AssertionError("it failed")
                failure = error
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_close_late)
            attempt.cancel()
    raise failure


def _close_late(attempt: asyncio.Task[socket.socket]) -> None:
    """Close the socket of an attempt that succeeded although it was not needed any more."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


def new_socket(family: int) -> socket.socket:
    """Return a non-blocking socket. Raises OSError."""
    return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)


async def _attempt(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    family, where = address
    sock = new_socket(family)
    try:
        await loop.sock_connect(sock, where)
        refuse_itself(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def refuse_itself(sock: socket.socket) -> None:
    """Raise ConnectionRefusedError if the socket is connected to itself.

    A connection within a machine, to a port on which nothing listens, may get this very port as its own (RFC 9293,
    section 3.5, simultaneous open).
    """
    if sock.getsockname() == sock.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "it is connected to itself")


async def _connect_unix(path: str) -> socket.socket:
    sock = new_socket(socket.AF_UNIX)
    try:
        while True:
            try:
                sock.connect(path)
            except BlockingIOError:  # the queue is full, and epoll does not report when it is not (unix(7), EAGAIN)
                await asyncio.sleep(FULL_QUEUE_SECONDS)
            else:
                return sock
    except BaseException:
        sock.close()
        raise
