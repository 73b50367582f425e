"""Ports for tests that must know a port before anything listens on it; and whether there is IPv6."""

import fcntl
import itertools
import os
import socket
import tempfile
from functools import cache
from pathlib import Path

import pytest

# Below what the kernel gives out by itself (32768 and up): no connection of another test, and no listener on port 0,
# gets one of these meanwhile.
_FIRST, _END = 10240, 32768
_offsets = itertools.count(os.getpid() * 97)


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nothing listens. No other process that runs tests is given it before this one has ended.

    Not even while nothing is bound to it: a listener may leave its port, and come back.
    """
    for offset in _offsets:
        port = _FIRST + offset % (_END - _FIRST)
        if not _reserve(port):
            continue
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return port
    raise AssertionError("no end to counting")


def _reserve(port: int) -> bool:
    """Take the port for this process; False if another one has it. The kernel releases it when the process ends."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _reservations() -> int:
    """The descriptor of a file, each of whose bytes is a port; never closed, which would release the locks."""
    path = Path(tempfile.gettempdir()) / f"answerback-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
