"""Why the admin API cannot listen at an address: gRPC only says that it failed."""

import socket

from answerback.control.address import Address
from answerback.supervisor.sockets import unix


def obstacle(address: Address) -> str:
    """Why nothing can listen there; empty if something can.

    At a path it also makes way: gRPC would take the place of a socket whether or not somebody answers there.
    """
    return _unix(address.path) if address.path else _tcp(address.host, address.port)


def _tcp(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC does
            probe.bind((host, port))
            probe.listen(1)  # two that are bound with SO_REUSEADDR collide only here
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
