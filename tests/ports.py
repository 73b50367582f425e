"""Ports for tests that must know a port before anything listens on it; and whether there is IPv6."""

import itertools
import os
import socket

import pytest

# Below what the kernel gives out by itself (32768 and up): no other process is given one of these meanwhile, neither a
# connection of another test nor a listener on port 0. Each process walks its own way through them.
_FIRST, _END = 10240, 32768
_offsets = itertools.count(os.getpid() * 97)


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nothing listens, and which no other test is given."""
    for offset in _offsets:
        port = _FIRST + offset % (_END - _FIRST)
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return port
    raise AssertionError("no end to counting")


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
