"""RST, and other ends of a connection that a system call reports."""

import errno
import os
import socket
import struct
from typing import Final

from answerback.core.actions import CloseReason

LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # close(2) sends RST (socket(7), SO_LINGER)


def reset_on_close(sock: socket.SocketType) -> None:
    """Make close(2) reset the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)


def reason_of(error: OSError) -> CloseReason:
    """Return the close reason for a failed system call."""
    if error.errno in (errno.ECONNRESET, errno.EPIPE):
        return CloseReason.PEER_RESET
    if error.errno == errno.ETIMEDOUT:  # TCP_USER_TIMEOUT
        return CloseReason.WRITE_TIMEOUT
    return CloseReason.PEER_LOST


def pending_error(sock: socket.SocketType) -> OSError | None:
    """Return the socket's pending error, the peer's RST for example."""
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return OSError(number, os.strerror(number)) if number else None
