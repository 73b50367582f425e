"""The number of TCP handshakes in progress at an address, from the kernel (sock_diag(7)); needs no privilege.

A client that has received our SYN-ACK considers the connection established, although its ACK has not arrived yet.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Final

NETLINK_SOCK_DIAG: Final = 4  # linux/netlink.h
SOCK_DIAG_BY_FAMILY: Final = 20  # linux/sock_diag.h
NLM_F_REQUEST, NLM_F_DUMP = 0x001, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
TCP_SYN_RECV: Final = 3  # net/tcp_states.h
RECEIVE_BYTES: Final = 64 << 10
SECONDS: Final = 1.0  # seconds to wait for the kernel, which answers at once

HEADER: Final = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
REQUEST: Final = struct.Struct("=BBBxI")  # the begin of struct inet_diag_req_v2: family, protocol, extensions, states
PORTS: Final = struct.Struct("!HH")  # of struct inet_diag_sockid, which follows: ours, the peer's
REST: Final = struct.Struct("=16s16sIII")  # our address, the peer's, interface, cookie (all ones: any)
ANY_COOKIE: Final = 0xFFFFFFFF
ADDRESS_OFFSET: Final = HEADER.size + 8  # of struct inet_diag_msg: our address, in network order


def in_progress(sock: socket.socket) -> int | None:
    """Return the number of handshakes at a listening TCP socket's address.

    None if the kernel does not tell, or the socket is closed.
    """
    try:
        host, port = sock.getsockname()[:2]
        address = socket.inet_pton(sock.family, host)
        found = list(_half_open(sock.family, port))
    except OSError:
        return None
    return len(found) if not any(address) else sum(each[: len(address)] == address for each in found)


def _half_open(family: int, port: int) -> Iterator[bytes]:
    """Yield our address, in 16 bytes, of each handshake at a port. Raises OSError."""
    request = REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << TCP_SYN_RECV)
    request += PORTS.pack(port, 0) + REST.pack(bytes(16), bytes(16), 0, ANY_COOKIE, ANY_COOKIE)
    head = HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(SECONDS)
        kernel.send(head + request)
        while True:
            answer = kernel.recv(RECEIVE_BYTES)
            at = 0
            while at < len(answer):
                length, kind, *_ = HEADER.unpack_from(answer, at)
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR or length < HEADER.size:
                    raise OSError(errno.EPROTO, "sock_diag does not respond")
                begin = at + ADDRESS_OFFSET
                yield answer[begin : begin + 16]
                at += (length + 3) & ~3
