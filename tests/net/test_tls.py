"""TLS on both engines and both loops: real sockets, and Python's own client."""

import socket
import ssl
from dataclasses import replace

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.faults import Ending, Fault, Point, Tls, alert
from answerback.core.framing import UntilEof
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.proxy_header import ProxyProtocol
from answerback.core.tls import Handshakes
from answerback.language.expressions import Scope, compile_template
from answerback.language.faults.tls import PLAIN_TEXT
from answerback.net.delivery import SEND_BUFFER
from answerback.shared import listener_counters
from tests.core.plans import plan
from tests.core.plans import rule as core_rule
from tests.net.conftest import Client, Serving
from tests.tls import certificates
from tests.tls.playing import TLS12, TLS13
from tests.waiting import eventually

BIG = bytes(range(256)) * (16 << 10)  # 4 MiB: more than the kernel takes
SPARE = 5000  # a cell that no listener's block reaches, for matches of rules


def rule(*taken: steps.Step, when: bytes | None = None) -> Rule:
    return core_rule(*taken, when=when, place=SPARE)


SERVICES = plan(
    rule(steps.send(b"bye\n"), steps.close(), when=b"quit"),
    rule(steps.send(b"half"), steps.half_close(), when=b"half"),
    rule(steps.send(b"gone"), steps.reset(), when=b"reset"),
    rule(steps.send(BIG), when=b"big"),
    rule(steps.send(memoryview(BIG)), when=b"view"),
    rule(steps.delay_fixed(0.05), steps.send(b"slow\n"), when=b"slow"),
    rule(steps.echo(), steps.send(b"\n")),
)


def secured(inside: ListenerPlan = SERVICES, handshake_timeout: float = 10.0) -> ListenerPlan:
    return replace(inside, tls=certificates.server(handshake_timeout=handshake_timeout))


class Secured:
    """A client of TLS on a blocking socket."""

    def __init__(self, serving: Serving, context: ssl.SSLContext | None = None, **options: int) -> None:
        self.client: Client = serving.connect("it", "", **options)
        context = context or certificates.client()
        self.sock = context.wrap_socket(self.client.sock, server_hostname="localhost", suppress_ragged_eofs=False)
        self.client.sock = self.sock

    def hear_all(self) -> bytes:
        """Everything up to close_notify. Raises SSLEOFError without one."""
        return self.client.hear_all()


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_tls_client_is_answered_and_closes_in_order(serving: Serving, version: ssl.TLSVersion) -> None:
    serving.commit(secured())
    client = Secured(serving, certificates.client(version=version))
    client.sock.sendall(b"a\nslow\nb\nquit\n")
    assert client.hear_all() == b"a\nslow\nb\nbye\n"
    client.sock.unwrap()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_CLOSE) == 1
    outcome = Handshakes.TLS_1_2 if version is TLS12 else Handshakes.TLS_1_3
    assert serving.count(listener_counters.HANDSHAKES + outcome) == 1
    assert serving.count(listener_counters.REQUESTS) == 4


@pytest.mark.parametrize("request_text", [b"big\n", b"view\n"])
def test_large_replies_reach_a_slow_client_whole(serving: Serving, request_text: bytes) -> None:
    serving.commit(secured())
    client = Secured(serving, receive_buffer=4096)
    client.sock.sendall(request_text + b"a\n" + request_text + b"quit\n")
    eventually(lambda: serving.count(listener_counters.SENT_BYTES) > SEND_BUFFER)
    assert client.hear_all() == BIG + b"a\n" + BIG + b"bye\n"


def test_byte_counters_count_the_wire(serving: Serving) -> None:
    serving.commit(secured())
    client = Secured(serving)
    client.sock.sendall(b"quit\n")
    assert client.hear_all() == b"bye\n"
    client.client.close()
    serving.settle()
    assert serving.count(listener_counters.RECEIVED_BYTES) > 300
    assert serving.count(listener_counters.SENT_BYTES) > 500


def test_client_that_stops_reading_is_reset_at_write_timeout(serving: Serving) -> None:
    serving.commit(secured(replace(SERVICES, limits=Limits(write_timeout=0.2))))
    client = Secured(serving, receive_buffer=4096)
    client.sock.sendall(b"big\n")
    serving.settle()
    assert serving.closed(CloseReason.WRITE_TIMEOUT) == 1


def test_half_close_lets_the_client_go_on(serving: Serving) -> None:
    serving.commit(secured())
    client = Secured(serving)
    client.sock.sendall(b"half\n")
    assert client.hear_all() == b"half"
    client.sock.sendall(b"still here\n")
    assert serving.count(listener_counters.OPEN) == 1
    client.client.close()
    serving.settle()
    assert serving.closed(CloseReason.TLS_CUT) == 1


def test_close_notify_is_the_end_of_a_request(serving: Serving) -> None:
    serving.commit(secured(plan(rule(steps.echo()), framing=UntilEof())))
    client = Secured(serving)
    client.sock.sendall(b"all of it")
    client.sock.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        client.sock.unwrap()
    client.sock.settimeout(10)
    assert client.client.hear(9) == b"all of it"
    with pytest.raises(ssl.SSLZeroReturnError):  # close_notify in both directions
        client.sock.recv(1)
    client.client.close()
    serving.settle()
    assert serving.closed(CloseReason.PEER_EOF) == 1


def test_bare_fin_has_its_own_reason(serving: Serving) -> None:
    serving.commit(secured(plan(rule(steps.echo()), framing=UntilEof())))
    client = Secured(serving)
    client.sock.sendall(b"all of it")
    socket.socket.shutdown(client.sock, socket.SHUT_WR)
    assert client.hear_all() == b"all of it"
    serving.settle()
    assert serving.closed(CloseReason.TLS_CUT) == 1


def test_reset_step_sends_no_close_notify(serving: Serving) -> None:
    serving.commit(secured())
    client = Secured(serving)
    client.sock.sendall(b"reset\n")
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        client.hear_all()
    serving.settle()
    assert serving.closed(CloseReason.SERVER_RESET) == 1


def test_plain_text_client_is_closed_in_order(serving: Serving) -> None:
    serving.commit(secured())
    assert serving.connect().say(b"GET / HTTP/1.1\r\n\r\n").hear_all() == b""
    serving.clients[0].close()
    serving.settle()
    assert serving.closed(CloseReason.NOT_TLS) == 1
    assert serving.count(listener_counters.HANDSHAKES + Handshakes.FAILED) == 1


def test_half_open_handshakes_end_at_their_timeout(serving: Serving) -> None:
    serving.commit(secured(handshake_timeout=0.3))
    hello = ssl_hello()
    clients = [serving.connect() for _ in range(50)]
    for number, client in enumerate(clients):
        client.say(hello[: 1 + number * 5])
    assert [client.hear_all()[:0] for client in clients] == [b""] * 50
    for client in clients:
        client.close()
    serving.settle()
    assert serving.closed(CloseReason.TLS_HANDSHAKE) == 50


def ssl_hello() -> bytes:
    """The first bytes of a client."""
    outgoing = ssl.MemoryBIO()
    started = certificates.client().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        started.do_handshake()
    return outgoing.read()


def test_drain_closes_connections_with_close_notify(serving: Serving) -> None:
    serving.commit(secured())
    client = Secured(serving)
    client.sock.sendall(b"a\n")
    assert client.client.hear(2) == b"a\n"
    serving.commit()
    assert client.hear_all() == b""
    client.client.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 1


@pytest.mark.parametrize("shaken", [False, True])
def test_client_just_connected_to_a_removed_listener_is_answered_once(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, shaken: bool
) -> None:
    monkeypatch.setattr("answerback.core.session.tls_layer.FIRST_REQUEST_SECONDS", 600.0)
    serving.commit(secured())
    client = serving.connect("it", "")
    client.sock = sock = certificates.client().wrap_socket(
        client.sock, server_hostname="localhost", suppress_ragged_eofs=False, do_handshake_on_connect=shaken
    )
    eventually(lambda: serving.count(listener_counters.ACCEPTED) > 0)
    serving.commit()
    sock.do_handshake()
    sock.sendall(b"a\n")
    assert client.hear_all() == b"a\n"


def test_listener_without_tls_keeps_its_connections_when_it_gets_some(serving: Serving) -> None:
    serving.commit(SERVICES)
    plain = serving.connect().say(b"a\n")
    assert plain.hear(2) == b"a\n"
    serving.commit(secured())
    assert plain.say(b"b\n").hear(2) == b"b\n"
    client = Secured(serving)
    client.sock.sendall(b"quit\n")
    assert client.hear_all() == b"bye\n"


def test_session_is_resumed_on_the_same_listener(serving: Serving) -> None:
    serving.commit(secured())
    context = certificates.client()
    first = Secured(serving, context)
    first.sock.sendall(b"a\n")
    assert first.client.hear(2) == b"a\n"
    raw = serving.connect()
    again = context.wrap_socket(raw.sock, server_hostname="localhost", session=first.sock.session)
    raw.sock = again
    again.sendall(b"b\n")
    assert (raw.hear(2), again.session_reused) == (b"b\n", True)
    assert serving.count(listener_counters.HANDSHAKES + Handshakes.TLS_1_3_RESUMED) == 1


def test_handshake_is_what_a_connection_waits_for(serving: Serving) -> None:
    serving.commit(secured())
    serving.connect().say(ssl_hello()[:100])

    def waiting() -> list[str]:
        return serving.call(lambda: [each.waits_for for each in serving.listeners.connections()])

    eventually(lambda: waiting() == ["handshake"])


def test_proxy_header_stands_before_the_handshake(serving: Serving) -> None:
    named = plan(rule(steps.send(compile_template("${peer.host} ${tls.sni}\n", Scope(listener_fields={"tls"})))))
    serving.commit(replace(secured(named), proxy_protocol=ProxyProtocol()))
    client = serving.connect().say(b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n")
    client.sock = certificates.client().wrap_socket(client.sock, server_hostname="localhost")
    assert client.say(b"who\n").hear(20) == b"192.0.2.1 localhost\n"
    assert serving.count(listener_counters.HANDSHAKES + Handshakes.TLS_1_3) == 1


def test_own_connection_of_a_proxy_shakes_hands_and_is_not_counted(serving: Serving) -> None:
    serving.commit(replace(secured(), proxy_protocol=ProxyProtocol()))
    check = serving.connect().say(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")
    check.sock = certificates.client().wrap_socket(check.sock, server_hostname="localhost")
    assert check.say(b"a\n").hear(2) == b"a\n"
    assert [serving.count(cell) for cell in range(listener_counters.BLOCK) if serving.count(cell)] == []


def test_client_that_leaves_before_an_optional_header_and_its_handshake_is_no_failure(serving: Serving) -> None:
    serving.commit(replace(secured(), proxy_protocol=ProxyProtocol(required=False)))
    for sent in (b"", b"PROX"):
        assert serving.connect().say(sent).finish().hear_all() == b""
    serving.settle()
    assert serving.count(listener_counters.SESSION_ERRORS) == 0
    assert serving.count(listener_counters.ACCEPTED) == 2


def broken_by(point: Point, ending: Ending, last_words: bytes = b"", **given: int) -> ListenerPlan:
    """A listener whose handshakes break off."""
    end = Tls(point, ending, last_words)
    fault = Fault("broken", SPARE + 1, end, handshake=end, sequence_cell=SPARE + 2, **given)  # type: ignore[arg-type]
    return replace(secured(handshake_timeout=0.3), handshake_faults=(fault,))


def error_of(serving: Serving, version: ssl.TLSVersion) -> str:
    """What Python's client says of its handshake, or of what it hears then."""
    try:
        client = Secured(serving, certificates.client(version=version))
        client.sock.sendall(b"a\n")
        return f"heard {client.client.hear(2)!r}"
    except ssl.SSLError as error:
        return str(error.reason or "reset")  # without a reason: writing failed
    except ConnectionResetError:
        return "reset"


STALLED = "UNEXPECTED_EOF_WHILE_READING"  # closed at handshake_timeout, in order
CUT = "UNEXPECTED_EOF_WHILE_READING"


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("point", Point)
@pytest.mark.parametrize(
    "ending, error, reason",
    [
        (Ending.RESET, "reset", CloseReason.SERVER_RESET),
        (Ending.CLOSE, CUT, CloseReason.SERVER_CLOSE),
        (Ending.STALL, STALLED, CloseReason.TLS_HANDSHAKE),
    ],
)
def test_client_sees_its_handshake_break_off(
    serving: Serving, version: ssl.TLSVersion, point: Point, ending: Ending, error: str, reason: CloseReason
) -> None:
    serving.commit(broken_by(point, ending))
    assert error_of(serving, version) == error
    serving.clients[0].close()
    serving.settle()
    assert serving.closed(reason) == 1
    assert serving.count(SPARE + 1) == 1


@pytest.mark.parametrize(
    "last_words, error",
    [
        (alert(40), "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (alert(70), "TLSV1_ALERT_PROTOCOL_VERSION"),
        (alert(48), "TLSV1_ALERT_UNKNOWN_CA"),
        (alert(112), "TLSV1_UNRECOGNIZED_NAME"),
        (PLAIN_TEXT, "WRONG_VERSION_NUMBER"),
    ],
)
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_client_names_the_alert_or_the_plain_text(
    serving: Serving, version: ssl.TLSVersion, last_words: bytes, error: str
) -> None:
    serving.commit(broken_by(Point.CLIENT_HELLO, Ending.CLOSE, last_words))
    assert error_of(serving, version) == error


def test_fault_of_the_handshake_applies_its_times_and_then_no_more(serving: Serving) -> None:
    serving.commit(broken_by(Point.SERVER_HELLO, Ending.RESET, times=2, skip=1))
    found = [error_of(serving, TLS13) for _ in range(5)]
    assert found == ["heard b'a\\n'", "reset", "reset", "heard b'a\\n'", "heard b'a\\n'"]
    assert serving.count(SPARE + 1) == 2


def test_client_that_gives_a_stalled_handshake_up_has_its_own_reason(serving: Serving) -> None:
    serving.commit(replace(broken_by(Point.CLIENT_HELLO, Ending.STALL), tls=certificates.server()))
    client = serving.connect().say(ssl_hello())
    eventually(lambda: serving.count(SPARE + 1) == 1)
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.PEER_GAVE_UP) == 1
