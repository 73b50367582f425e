"""Silence on a listening socket: whoever connects gets no answer at all, neither a connection nor a refusal.

What has queued already is beside it, and accepted as ever; whoever is half way in gets in. It belongs to the socket: it
holds for every copy of it, in whatever process, and outlives the one that asked for it.
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
# Classic BPF over what begins with the TCP header (linux/filter.h): nothing is kept of a SYN that is no SYN-ACK. On a
# socket that listens this is obeyed before anything is answered, whether by SYN-ACK or by RST. The ACK that ends a
# handshake has to pass: its client takes the connection for established, and would be reset.
SYN, ACK = 0x02, 0x10
PROGRAM: Final = (
    (0x30, 0, 0, 13),  # load the byte of the flags (RFC 9293, 3.1)
    (0x54, 0, 0, SYN | ACK),
    (0x15, 0, 1, SYN),  # equal: go on, else jump over one
    (0x06, 0, 0, 0),  # keep nothing
    (0x06, 0, 0, 0xFFFFFFFF),  # keep all
)
DROP_SYN: Final = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in PROGRAM))


def silence(sock: socket.socket) -> bool:
    """Answer nobody from now on; False where the kernel does not permit it."""
    if sock.family == socket.AF_UNIX:
        return False
    program = struct.pack("HL", len(PROGRAM), ctypes.addressof(DROP_SYN))  # struct sock_fprog
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    except OSError:
        return False
    return True


def end_silence(sock: socket.socket) -> None:
    """Answer again, if that was not so."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
