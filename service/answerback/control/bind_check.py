"""Finds out why the admin API cannot listen at an address: gRPC only reports that it failed."""

import socket

from answerback.control.address import Address
from answerback.supervisor.sockets import unix


def obstacle(address: Address) -> str:
    """Return why it cannot listen there; empty if it can.

    At a path it also removes the file of a dead socket: gRPC would replace a socket even if a process listens on it.
    """
    return _unix(address.path) if address.path else _tcp(address.host, address.port)


def _tcp(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC does
            probe.bind((host, port))
            probe.listen(1)  # two sockets with SO_REUSEADDR conflict only here
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _unix(path: str) -> str:
    try:
        sock, file = unix.bind(path)
    except OSError as error:
        return unix.reason(error)
    sock.close()
    file.remove()
    return ""
