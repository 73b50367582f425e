"""Silencing a real listening socket; no privilege is needed."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from answerback.net.syn_filter import accept_syns, drop_syns, drops_syns, pass_filter, remove_inherited

PATIENCE = 0.3  # seconds, of a client that is to get no answer: the kernel repeats a SYN after one second
SECONDS = 10.0

FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@pytest.fixture(params=FAMILIES)
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.create_server((request.param, 0), family=FAMILIES[request.param]) as sock:
        sock.settimeout(SECONDS)
        yield sock


def half_in(listening: socket.socket) -> socket.socket:
    """A client whose handshake is in progress.

    With TCP_DEFER_ACCEPT (tcp(7)) a handshake ends with the first data; the client takes it for ended before.
    """
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    return socket.create_connection(listening.getsockname()[:2], SECONDS)


def test_client_of_a_filtered_socket_times_out_until_the_filter_is_removed(listening: socket.socket) -> None:
    where = listening.getsockname()[:2]
    assert not drops_syns(listening)
    assert drop_syns(listening)
    assert drops_syns(listening)
    with pytest.raises(TimeoutError):
        socket.create_connection(where, PATIENCE)
    accept_syns(listening)
    assert not drops_syns(listening)
    with socket.create_connection(where, SECONDS):
        listening.accept()[0].close()


@pytest.mark.parametrize("ttl, reaches", [(64, False), (128, False), (254, False), (255, True)])
def test_only_packets_with_the_highest_ttl_reach_a_filtered_socket(
    listening: socket.socket, ttl: int, reaches: bool
) -> None:
    drop_syns(listening)
    with socket.socket(listening.family) as client:
        if listening.family == socket.AF_INET6:
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        client.settimeout(SECONDS if reaches else PATIENCE)
        assert (client.connect_ex(listening.getsockname()[:2]) == 0) is reaches


def test_silence_applies_to_every_copy_of_a_socket(listening: socket.socket) -> None:
    with listening.dup() as copy:
        drop_syns(copy)
        assert drops_syns(listening)


def test_queued_connection_is_accepted_from_a_filtered_socket(listening: socket.socket) -> None:
    with socket.create_connection(listening.getsockname()[:2], SECONDS) as client:
        drop_syns(listening)
        accepted, _ = listening.accept()
        with accepted:
            client.sendall(b"hi")
            assert accepted.recv(2) == b"hi"


def test_handshake_in_progress_completes_on_a_filtered_socket(listening: socket.socket) -> None:
    with half_in(listening) as client:
        drop_syns(listening)
        client.sendall(b"hi")
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.recv(2) == b"hi"


def test_connection_half_open_at_a_syn_filter_is_freed_when_accepted(listening: socket.socket) -> None:
    with half_in(listening) as client:
        drop_syns(listening)
        client.sendall(b"hi")
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.recv(2) == b"hi"
            client.sendall(b"more")
            accepted.settimeout(PATIENCE / 3)  # the client sends again after 0.2 s
            with pytest.raises(TimeoutError):
                accepted.recv(4)
            remove_inherited(accepted.fileno(), accepted.family)
            accepted.settimeout(SECONDS)
            assert accepted.recv(4) == b"more"
    assert drops_syns(listening)


@pytest.mark.parametrize("host", FAMILIES)
def test_dual_stack_socket_is_filtered_for_both_families(host: str) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both:
        drop_syns(both)
        with pytest.raises(TimeoutError):
            socket.create_connection((host, both.getsockname()[1]), PATIENCE)


def test_marked_socket_connects_to_a_filtered_socket(listening: socket.socket) -> None:
    drop_syns(listening)
    with socket.socket(listening.family) as client:
        client.settimeout(SECONDS)
        pass_filter(client)
        client.connect(listening.getsockname()[:2])


def test_unix_socket_cannot_be_silenced() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        assert not drop_syns(sock)
        assert not drops_syns(sock)
        accept_syns(sock)


UNPRIVILEGED = """
import os, socket
from answerback.net.syn_filter import drop_syns
if not os.geteuid():
    os.setresuid(65534, 65534, 65534)
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    with socket.socket(family) as sock:
        sock.bind((host, 0))
        sock.listen()
        print(os.geteuid() != 0, drop_syns(sock))
"""


def test_silence_needs_no_privilege() -> None:
    said = subprocess.run([sys.executable, "-c", UNPRIVILEGED], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True"] * 4
