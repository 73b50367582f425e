"""A side that speaks TLS: what TLS itself has to say is bounded."""

import socket
import ssl
from contextlib import suppress

import pytest

from answerback.core.relay import PEER
from answerback.net.poller import READABLE
from answerback.net.relay.poll_side import PollSide
from answerback.net.relay.secure_side import OWED_BYTES, SecureSide
from answerback.net.relay.side import Side
from answerback.net.relay.stream_side import StreamSide
from answerback.tls.channel import SslChannel
from tests.net.conftest import Serving
from tests.net.relay.test_secure_clients import connected, secured
from tests.net.relay.upstreams import Server
from tests.tls import certificates


def answer_each_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let TLS answer all that comes, as it answers a peer that asks for new keys: `ssl` cannot be told to ask."""
    answers: list[bytes] = []
    monkeypatch.setattr(SslChannel, "feed", lambda _, data: answers.append(bytes(data)))
    monkeypatch.setattr(SslChannel, "read", lambda _: b"")
    monkeypatch.setattr(SslChannel, "pull", lambda _: answers.pop() if answers else b"")


def is_read(side: Side) -> bool:
    """Whether the event loop is to report what comes on its socket."""
    if isinstance(side, PollSide):
        return bool(side._watched & READABLE)
    assert isinstance(side, StreamSide)
    return side._reads


def test_client_that_reads_no_answers_of_tls_is_not_read_any_more(
    serving: Serving, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: a socket that is watched, and not read, would be reported in each pass of the loop."""
    serving.commit(secured(server))
    client, upstream = connected(serving, server)
    client.sock.sendall(b"a")
    assert upstream.hear(1) == b"a"
    (connection,) = serving.listeners.connections()
    side = connection.sides[PEER]  # type: ignore[attr-defined]
    answer_each_record(monkeypatch)
    received = SecureSide.received
    noted: list[tuple[bool, int]] = []

    def noting(side: SecureSide, which: int, data: bytes, now: float) -> None:
        received(side, which, data, now)
        if not side.wants_read(PEER):
            noted.append((is_read(side.raw), side.unsent))

    monkeypatch.setattr(SecureSide, "received", noting)
    client.sock.setblocking(False)
    while serving.call(side.wants_read, PEER):
        with suppress(BlockingIOError):
            socket.socket.send(client.sock, bytes(2000))
    ((reads, unsent),) = noted
    assert not reads
    assert unsent > OWED_BYTES
    client.client.close()


def test_bytes_in_the_packet_that_ends_the_handshake_are_passed_on(serving: Serving, server: Server) -> None:
    """They come before the upstream is connected."""
    serving.commit(secured(server))
    client = serving.connect()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certificates.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    shaken = False
    while not shaken:
        try:
            tls.do_handshake()
            shaken = True
        except ssl.SSLWantReadError:
            client.say(outgoing.read())
            incoming.write(client.sock.recv(65536))
    tls.write(b"question")
    client.say(outgoing.read())
    assert server.accept().hear(8) == b"question"
