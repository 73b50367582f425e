"""Ties a worker's life to its supervisor's."""

import ctypes
import os
import signal
import socket
import struct
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # prctl(2)
UCRED: Final = struct.Struct("=iII")  # unix(7): pid, uid, gid
SUPERVISORS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Orphaned(Exception):
    """The supervisor has exited already."""


def ignore_signals() -> None:
    """Ignore signals that a terminal or a container sends to every process; the supervisor handles them."""
    for each in SUPERVISORS:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SUPERVISORS)  # the supervisor blocked them for us until here


def end_with_parent(link: socket.socket) -> None:
    """Let the kernel kill this process when its parent, which made `link`, exits. Raises Orphaned if it has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    parent, _, _ = UCRED.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
    if os.getppid() != parent:  # it exited before it could be watched
        raise Orphaned
