"""Framed messages with file descriptors, between supervisor and worker, over a connected Unix stream socket.

On the wire a frame is

    u32 size of the message | u32 number of sockets | u32 number of files |
    one byte for every 200 descriptors, which carries them, those of the sockets first | the message

in the machine's byte order, as both ends run on the same machine.
"""

# Rule: a read never crosses the end of the current piece of a frame; so its descriptors belong to this frame, and
#       dropped descriptors are detected in the frame that they were sent with.
# Rule: nothing here blocks. Unsent messages wait in memory.

import asyncio
import errno
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

M = TypeVar("M", bound=Message)

HEADER = struct.Struct("=III")
DESCRIPTOR = struct.Struct("=i")
MAX_DESCRIPTORS = 200  # descriptors; more than 253 (SCM_MAX_FD) in one message is EINVAL
ANCILLARY_BYTES = socket.CMSG_SPACE(MAX_DESCRIPTORS * DESCRIPTOR.size)
MAX_BYTES = 256 << 20  # max. bytes of a message: far more than any configuration with its small files
RETRY_SECONDS = 0.01  # seconds to wait while too many descriptors are in flight (ETOOMANYREFS)
PEER_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)

log = logging.getLogger(__name__)


class MessageTooLarge(Exception):
    """The message exceeds the maximum size of a frame."""


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A message and the sockets and files that came with it, which belong to the receiver."""

    message: M
    sockets: Sequence[socket.socket]
    lost: int = 0
    """How many descriptors sent with it were not delivered, because none were free; then there are none at all."""
    files: Sequence[int] = ()
    """The file descriptors."""

    def close(self) -> None:
        """Close all sockets and files."""
        for sock in self.sockets:
            sock.close()
        close_all(self.files)


class _Piece(Enum):
    HEADER = auto()
    RIGHTS = auto()
    MESSAGE = auto()


class Link(Generic[M]):
    """One end of the link. It reads from construction on, in the running event loop."""

    def __init__(
        self,
        sock: socket.socket,
        kind: type[M],
        received: Callable[[Received[M]], None],
        closed: Callable[[], None],
        fd_reserve: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`kind` is the other end's message type; `closed` is called once when the other end is gone.

        Descriptors are received within `fd_reserve()`, which may make some available.
        """
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._kind = kind
        self._received = received
        self._closed = closed
        self._fd_reserve = fd_reserve
        self._open = True
        self._piece = _Piece.HEADER
        self._buffer = bytearray(HEADER.size)
        self._filled = 0
        self._expected = 0  # descriptors of the frame that is being read
        self._files = 0  # number of files among them
        self._descriptors: list[int] = []
        self._rights = 0  # number of pieces still to come that carry descriptors
        self._size = 0
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()
        self._writing = False
        self._retry: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._loop.add_reader(sock.fileno(), self._readable)

    def send(self, message: Message, sockets: Sequence[socket.socket] = (), files: Sequence[int] = ()) -> None:
        """Send a message, with sockets and descriptors of files that the caller may close right after.

        Nothing happens if the other end is gone; `closed` tells, or has told. Raises MessageTooLarge, or OSError if
        there are no descriptors for copies of them; then nothing is sent.
        """
        if not self._open:
            return
        content = message.SerializeToString()
        if len(content) > MAX_BYTES:
            raise MessageTooLarge(f"{len(content)} bytes, at most {MAX_BYTES} can be passed to a worker")
        copies = duplicates([*(sock.fileno() for sock in sockets), *files])
        self._unsent.append((memoryview(HEADER.pack(len(content), len(sockets), len(files))), []))
        for first in range(0, len(copies), MAX_DESCRIPTORS):
            self._unsent.append((memoryview(b"\0"), copies[first : first + MAX_DESCRIPTORS]))
        if content:
            self._unsent.append((memoryview(content), []))
        if not self._writing and self._retry is None:
            self._write()

    def close(self) -> None:
        """Close this end; `closed` is not called."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        if self._retry is not None:
            self._retry.cancel()
        for _, copies in self._unsent:
            close_all(copies)
        self._unsent.clear()
        close_all(self._descriptors)
        self._sock.close()

    def _end(self) -> None:
        if self._open:
            self.close()
            self._closed()

    def _readable(self) -> None:
        try:
            alive = self._read_rights() if self._piece is _Piece.RIGHTS else self._read_bytes()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in PEER_GONE:
                log.exception("link failed")
            alive = False
        if not alive:
            self._end()

    def _read_bytes(self) -> bool:
        """Fill the buffer of a header or a message; False at the end of the stream, or after a protocol error."""
        size = self._sock.recv_into(memoryview(self._buffer)[self._filled :])
        self._filled += size
        if size and self._filled == len(self._buffer):
            return self._begin() if self._piece is _Piece.HEADER else self._finish()
        return size > 0

    def _begin(self) -> bool:
        """A header is complete."""
        self._size, sockets, self._files = HEADER.unpack(self._buffer)
        self._expected = sockets + self._files
        if self._size > MAX_BYTES:
            log.error("link failed: a message of %d bytes was announced", self._size)
            return False
        self._rights = -(-self._expected // MAX_DESCRIPTORS)
        return self._expect_rest()

    def _expect_rest(self) -> bool:
        if self._rights:
            self._piece = _Piece.RIGHTS
            return True
        self._piece = _Piece.MESSAGE
        self._buffer, self._filled = bytearray(self._size), 0
        return True if self._size else self._finish()

    def _read_rights(self) -> bool:
        with self._fd_reserve():
            # Not socket.recv_fds: it drops the flags, and what it receives is inherited by every child.
            data, ancillary, _, _ = self._sock.recvmsg(1, ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = len(content) - len(content) % DESCRIPTOR.size  # MSG_CTRUNC may cut anywhere
                self._descriptors += [number for (number,) in DESCRIPTOR.iter_unpack(content[:whole])]
        if not data:
            return False
        self._rights -= 1
        return self._expect_rest()

    def _finish(self) -> bool:
        """A frame is complete."""
        content, descriptors = bytes(self._buffer), self._descriptors
        lost = self._expected - len(descriptors)
        if lost:
            close_all(descriptors)
            descriptors = []
        self._piece, self._buffer, self._filled = _Piece.HEADER, bytearray(HEADER.size), 0
        self._descriptors = []
        try:
            message = self._kind.FromString(content)
        except DecodeError:
            log.exception("link failed: received bytes that are not a %s", self._kind.DESCRIPTOR.full_name)
            close_all(descriptors)
            return False
        first_file = len(descriptors) - self._files if descriptors else 0
        sockets = [socket.socket(fileno=number) for number in descriptors[:first_file]]
        self._received(Received(message, sockets, lost, descriptors[first_file:]))
        return True

    def _write(self) -> None:
        """Send queued messages, as far as the kernel takes them."""
        self._retry = None
        unsent = self._unsent
        while unsent:
            data, copies = unsent[0]
            try:
                size = socket.send_fds(self._sock, [data], copies) if copies else self._sock.send(data)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:
                    self._retry = self._loop.call_later(RETRY_SECONDS, self._write)
                else:  # the reader finds the end of the stream, after the other end's last messages
                    self._give_up(error)
                break
            close_all(copies)
            unsent.popleft()
            if size < len(data):
                unsent.appendleft((data[size:], []))
        self._await_writable(waiting=bool(unsent) and self._retry is None)

    def _give_up(self, error: OSError) -> None:
        if error.errno not in PEER_GONE:
            log.error("link failed: %s", error)
        for _, copies in self._unsent:
            close_all(copies)
        self._unsent.clear()

    def _await_writable(self, *, waiting: bool) -> None:
        if waiting and not self._writing:
            self._loop.add_writer(self._sock.fileno(), self._write)
        elif self._writing and not waiting:
            self._loop.remove_writer(self._sock.fileno())
        self._writing = waiting


def duplicates(descriptors: Sequence[int]) -> list[int]:
    """Duplicate descriptors. Raises OSError; then none is left open."""
    copies: list[int] = []
    try:
        copies.extend(os.dup(descriptor) for descriptor in descriptors)
    except OSError:
        close_all(copies)
        raise
    return copies


def close_all(descriptors: Sequence[int]) -> None:
    """Close all descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)
