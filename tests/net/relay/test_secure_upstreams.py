"""Relays to an upstream that speaks TLS: what passes, and every way in which it cannot be reached."""

import random
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from answerback.core.actions import CloseReason
from answerback.core.plan import ListenerPlan
from answerback.core.tls import Handshakes
from answerback.shared import listener_counters
from answerback.tls.client import ClientSettings, ClientTls
from answerback.tls.material import Material
from answerback.tls.pairs import private
from tests.net.conftest import Serving
from tests.net.relay.rules import PING, ruled
from tests.net.relay.test_connecting import failures
from tests.net.relay.upstreams import Accepted, Server, relaying, within
from tests.net.test_tls import Secured
from tests.tls import certificates
from tests.tls.both_ways import talk_both_ways
from tests.tls.cutting import CutTls
from tests.tls.playing import TLS12, TLS13
from tests.waiting import eventually


def client_tls(*, own: bool = False, **settings: Any) -> ClientTls:
    material = Material((certificates.pair("client.test"),) if own else (), certificates.client_ca())
    return ClientTls("it", ClientSettings(**{"server_name": "localhost", **settings}), material)


def server_context(
    *names: str, version: ssl.TLSVersion | None = None, clients: bool = False, of: int = 0
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.issued(*(names or ("localhost",)), of=of).configure_cert(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if clients:
        certificates.authority(0).configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def secured(server: Server, tls: ClientTls | None = None, **limits: float) -> ListenerPlan:
    return relaying(replace(server.upstream, tls=tls or client_tls()), **limits)


class Secure:
    """Makes the handshakes of a server, in a thread: the relay connects when its client does."""

    def __init__(self, server: Server, context: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._context = context or server_context()
        self._found: Accepted | None = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        accepted = self._server.accept()
        try:
            accepted.sock = self._context.wrap_socket(accepted.sock, server_side=True, suppress_ragged_eofs=False)
        except (OSError, ssl.SSLError) as error:
            self.error = error
            accepted.close()
        else:
            self._found = accepted

    def accept(self) -> Accepted:
        self._thread.join(10)
        assert self._found is not None, self.error
        return self._found

    @property
    def sock(self) -> ssl.SSLSocket:
        sock = self.accept().sock
        assert isinstance(sock, ssl.SSLSocket)
        return sock


@pytest.fixture
def plain(serving: Serving) -> Iterator[Serving]:
    """Says what a failed test would not."""
    yield serving
    assert serving.count(listener_counters.SESSION_ERRORS) == 0


def half_close(sock: ssl.SSLSocket) -> None:
    """Send close_notify, without FIN."""
    sock.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        sock.unwrap()
    sock.settimeout(10)


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_upstream_gets_what_the_client_sends_within_tls(
    plain: Serving, server: Server, version: ssl.TLSVersion
) -> None:
    plain.commit(secured(server))
    upstream = Secure(server, server_context(version=version))
    client = plain.connect().say(b"question")
    assert upstream.accept().hear(8) == b"question"
    upstream.accept().say(b"answer")
    assert client.hear(6) == b"answer"
    assert plain.count(listener_counters.RECEIVED_BYTES) == 8
    eventually(lambda: plain.count(listener_counters.SENT_BYTES) == 6)
    assert plain.count(listener_counters.UPSTREAM_CONNECTED) == 1


def test_upstream_that_speaks_first_is_heard(plain: Serving, server: Server) -> None:
    plain.commit(secured(server))
    upstream = Secure(server)
    client = plain.connect()
    upstream.accept().say(b"220 ready\r\n")
    assert client.hear(11) == b"220 ready\r\n"


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_plain_text_does_not_depend_on_where_records_are_cut(plain: Serving, server: Server, size: int) -> None:
    plain.commit(secured(server))
    client = plain.connect().say(b"question")
    upstream = CutTls(server.accept().sock, server_context(), size)
    assert upstream.hear(8) == b"question"
    upstream.say(b"one").say(b"x" * 3000)
    assert client.hear(3003) == b"one" + b"x" * 3000


def test_close_notify_of_the_upstream_is_passed_on_as_fin(plain: Serving, server: Server) -> None:
    plain.commit(secured(server))
    upstream = Secure(server)
    client = plain.connect()
    upstream.accept().say(b"all")
    half_close(upstream.sock)
    assert client.hear_all() == b"all"
    client.say(b"late").finish()
    assert upstream.accept().hear(4) == b"late"
    with pytest.raises(ssl.SSLZeroReturnError):
        upstream.sock.recv(1)
    plain.settle()
    assert plain.closed(CloseReason.UPSTREAM_EOF) == 1


def test_bare_fin_of_the_upstream_has_its_own_reason(plain: Serving, server: Server) -> None:
    plain.commit(secured(server))
    upstream = Secure(server)
    client = plain.connect()
    upstream.accept().say(b"all")
    socket.socket.shutdown(upstream.sock, socket.SHUT_WR)
    assert client.hear_all() == b"all"
    client.finish()
    with suppress(ssl.SSLError):
        upstream.sock.recv(1)
    plain.settle()
    assert plain.closed(CloseReason.TLS_CUT) == 1


def test_stream_that_was_cut_looks_cut_to_a_client_of_tls(plain: Serving, server: Server) -> None:
    plain.commit(replace(secured(server), tls=certificates.server()))
    upstream = Secure(server)
    client = Secured(plain)
    upstream.accept().say(b"all")
    socket.socket.shutdown(upstream.sock, socket.SHUT_WR)
    assert client.client.hear(3) == b"all"
    with pytest.raises(ssl.SSLEOFError):
        client.sock.recv(1)


def test_reset_passes_in_both_directions(plain: Serving, server: Server) -> None:
    plain.commit(secured(server))
    upstream = Secure(server)
    client = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    client.reset()
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        upstream.sock.recv(1)
    plain.settle()
    assert plain.closed(CloseReason.PEER_RESET) == 1
    upstream = Secure(server)
    client = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    upstream.accept().reset()
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    plain.settle()
    assert plain.closed(CloseReason.UPSTREAM_RESET) == 1


def test_large_random_data_passes_within_tls_on_both_sides(plain: Serving, server: Server) -> None:
    plain.commit(replace(secured(server), tls=certificates.server()))
    upstream = Secure(server)
    client = Secured(plain)
    data = random.Random(7).randbytes(3 << 20)
    heard: list[bytes] = []
    answering = threading.Thread(target=lambda: heard.append(talk_both_ways(upstream.sock, data, len(data))))
    answering.start()
    assert talk_both_ways(client.sock, data, len(data)) == data
    answering.join(60)
    assert heard == [data]


def test_upstream_that_asks_for_a_certificate_gets_it(plain: Serving, server: Server) -> None:
    plain.commit(secured(server, client_tls(own=True, alpn=("lines", "h2"))))
    context = server_context(clients=True)
    context.set_alpn_protocols(["h2"])
    upstream = Secure(server, context)
    client = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    certificate: Any = upstream.sock.getpeercert()
    assert ("DNS", "client.test") in certificate["subjectAltName"]
    assert upstream.sock.selected_alpn_protocol() == "h2"
    client.close()


def test_name_is_not_verified_if_only_the_authority_is(plain: Serving, server: Server) -> None:
    plain.commit(secured(server, client_tls(server_name="other.test", verify_name=False)))
    upstream = Secure(server)
    client = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    client.close()


def test_nothing_is_verified_if_it_is_said_so(plain: Serving, server: Server) -> None:
    plain.commit(secured(server, client_tls(verify=False)))
    upstream = Secure(server, server_context(of=1))
    client = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    client.close()


def assert_not_secured(serving: Serving, caplog: pytest.LogCaptureFixture, why: str) -> None:
    """A client is reset, perhaps while it still connects, and a log line says why."""
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        serving.connect().say(b"anybody?").sock.recv(1)
    serving.settle()
    assert serving.closed(CloseReason.UPSTREAM_DOWN) == 1
    assert failures(serving) == {"tls": 1}
    assert [each for each in caplog.messages if each.startswith("a TLS handshake with the upstream failed")] == [
        f"a TLS handshake with the upstream failed: {why}"
    ]


def test_certificate_for_another_name_is_not_accepted(
    plain: Serving, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    plain.commit(secured(server))
    Secure(server, server_context("other.test"))
    why = "Hostname mismatch, certificate is not valid for 'localhost'."
    assert_not_secured(plain, caplog, f"the peer's certificate is not valid: {why}")


def test_certificate_of_another_authority_is_not_accepted(
    plain: Serving, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    plain.commit(secured(server))
    upstream = Secure(server, server_context(of=1))
    why = "unable to get local issuer certificate"
    assert_not_secured(plain, caplog, f"the peer's certificate is not valid: {why}")
    eventually(lambda: "UNKNOWN_CA" in str(upstream.error).upper())  # the alert


def test_upstream_that_speaks_plain_text_is_not_reached(
    plain: Serving, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    plain.commit(secured(server))
    threading.Thread(target=lambda: server.accept().say(b"220 ready\r\n"), daemon=True).start()
    assert_not_secured(plain, caplog, "WRONG_VERSION_NUMBER")


def test_upstream_that_closes_during_the_handshake_is_not_reached(
    plain: Serving, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    plain.commit(secured(server))
    threading.Thread(target=lambda: server.accept().finish(), daemon=True).start()
    assert_not_secured(plain, caplog, "the upstream closed the connection")


def test_upstream_with_an_old_version_is_not_reached(
    plain: Serving, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    plain.commit(secured(server, client_tls(min_version=TLS13)))
    Secure(server, server_context(version=TLS12))
    assert_not_secured(plain, caplog, "TLSV1_ALERT_PROTOCOL_VERSION")


def test_handshake_that_stalls_ends_at_connect_timeout(plain: Serving, server: Server) -> None:
    upstream = within(replace(server.upstream, tls=client_tls()), 0.3)
    plain.commit(relaying(upstream))
    with pytest.raises(ConnectionResetError):
        plain.connect().sock.recv(1)
    plain.settle()
    assert failures(plain) == {"timeout": 1}


def test_record_that_is_not_valid_resets_both(plain: Serving, server: Server) -> None:
    plain.commit(secured(server))
    upstream = Secure(server)
    client = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    socket.socket.send(upstream.sock, b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    plain.settle()
    assert plain.closed(CloseReason.TLS_ERROR) == 1


def test_other_files_are_for_new_connections(plain: Serving, server: Server) -> None:
    tls = client_tls()
    plain.commit(secured(server, tls))
    upstream = Secure(server)
    first = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    tls.load(Material((), private(certificates.client_ca().path, certificates.authority(1).cert_pem.bytes())))
    first.say(b"b")
    assert upstream.accept().hear(1) == b"b"
    other = Secure(server, server_context(of=1))
    second = plain.connect().say(b"c")
    assert other.accept().hear(1) == b"c"
    second.close()


def asked(plain: Serving, server: Server, context: ssl.SSLContext) -> bool:
    """Whether the upstream's handshake with the next connection has resumed a session."""
    upstream = Secure(server, context)
    client = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    upstream.accept().say(b"b")  # with TLS 1.3 behind a ticket
    assert client.hear(1) == b"b"
    resumed = upstream.sock.session_reused
    client.close()
    assert resumed is not None
    return resumed


def handshakes(plain: Serving) -> dict[Handshakes, int]:
    """The handshakes with the upstream that were counted."""
    counts = {outcome: plain.count(listener_counters.UPSTREAM_HANDSHAKES + outcome) for outcome in Handshakes}
    return {outcome: count for outcome, count in counts.items() if count}


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("clients", [False, True])
def test_session_is_resumed(plain: Serving, server: Server, version: ssl.TLSVersion, clients: bool) -> None:
    plain.commit(secured(server, client_tls(own=True)))
    context = server_context(version=version, clients=clients)
    assert [asked(plain, server, context) for _ in range(4)] == [False, True, True, True]
    full, resumed = {
        TLS12: (Handshakes.TLS_1_2, Handshakes.TLS_1_2_RESUMED),
        TLS13: (Handshakes.TLS_1_3, Handshakes.TLS_1_3_RESUMED),
    }[version]
    assert handshakes(plain) == {full: 1, resumed: 3}


def test_session_is_resumed_neither_by_another_server_nor_with_other_files(plain: Serving, server: Server) -> None:
    tls = client_tls()
    plain.commit(secured(server, tls))
    first, other = server_context(), server_context()
    assert [asked(plain, server, context) for context in (first, first, other, other)] == [False, True, False, True]
    tls.load(tls.material)
    assert [asked(plain, server, other) for _ in range(2)] == [False, True]


def test_connection_from_before_other_files_leaves_no_session_behind(plain: Serving, server: Server) -> None:
    tls = client_tls()
    plain.commit(secured(server, tls))
    context = server_context()
    upstream = Secure(server, context)
    early = plain.connect().say(b"a")
    assert upstream.accept().hear(1) == b"a"
    tls.load(tls.material)
    upstream.accept().say(b"b")  # with the ticket, which is of the former context
    assert early.hear(1) == b"b"
    assert asked(plain, server, context) is False


def test_failed_handshake_is_not_followed_by_another_resumption(plain: Serving, server: Server) -> None:
    plain.commit(secured(server))
    context = server_context()
    assert [asked(plain, server, context) for _ in range(2)] == [False, True]
    Secure(server, server_context(of=1))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        plain.connect().say(b"anybody?").sock.recv(1)
    assert [asked(plain, server, context) for _ in range(2)] == [False, True]
    assert handshakes(plain) == {Handshakes.TLS_1_3: 2, Handshakes.TLS_1_3_RESUMED: 2, Handshakes.FAILED: 1}


def test_server_without_tickets_is_asked_for_no_resumption(plain: Serving, server: Server) -> None:
    plain.commit(secured(server))
    context = server_context(version=TLS13)
    context.num_tickets = 0
    assert [asked(plain, server, context) for _ in range(2)] == [False, False]


def test_rules_beside_an_upstream_that_speaks_tls(plain: Serving, server: Server) -> None:
    made = ruled(plain, server, PING)
    assert made.upstream is not None
    plain.commit(replace(made, upstream=replace(made.upstream, tls=client_tls())))
    upstream = Secure(server)
    client = plain.connect().say(b"PING\nGET a\r\n")
    assert client.hear(5) == b"PONG\n"
    assert upstream.accept().hear(7) == b"GET a\r\n"
    upstream.accept().say(b"1\n")
    assert client.hear(2) == b"1\n"
    client.finish()
    assert upstream.accept().hear_all() == b""
    upstream.accept().say(b"bye").finish()  # without close_notify: the stream was cut
    assert client.hear_all() == b"bye"
