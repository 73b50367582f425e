"""Silence on a listening socket: whoever connects gets no answer at all, neither a connection nor a refusal.

What has queued already is beside it, and accepted as ever. It belongs to the socket: it holds for every copy of it, in
whatever process, and outlives the one that asked for it.
"""

import ctypes
import socket
import struct
from contextlib import suppress
from typing import Final

# Rule: a best effort. Linux 6.18 permits a filter on TCP to CAP_NET_ADMIN alone, where others permit it to everybody.

# socket(7); the socket module does not name them.
SO_ATTACH_FILTER: Final = 26
SO_DETACH_FILTER: Final = 27
# One instruction of classic BPF, BPF_RET | BPF_K with 0: of each packet, keep nothing. On a socket that listens this is
# obeyed before anything is answered, whether by SYN-ACK or by RST.
DROP_ALL: Final = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0), 8)


def silence(sock: socket.socket) -> bool:
    """Answer nobody from now on; False where the kernel does not permit it."""
    if sock.family == socket.AF_UNIX:
        return False
    program = struct.pack("HL", 1, ctypes.addressof(DROP_ALL))  # struct sock_fprog
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    except OSError:
        return False
    return True


def end_silence(sock: socket.socket) -> None:
    """Answer again, if that was not so."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
