"""TLS before a session: nothing of it depends on how bytes arrive, and it ends as TLS does."""

import ssl
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose, Reset, Send
from answerback.core.faults import Bandwidth, Fault, Truncate
from answerback.core.framing import UntilEof
from answerback.core.plan import Limits
from answerback.core.selection import Rules
from answerback.core.session import Session, tls_layer
from answerback.core.session.tls_output import AHEAD
from answerback.core.tls import Handshakes
from answerback.language.expressions import Scope, compile_template
from answerback.tls.material import Material
from tests.core.plans import plan, rule
from tests.core.playbook import Playbook, drain, eof
from tests.tls import certificates
from tests.tls.playing import TLS12, TLS13, Client

ECHO = plan(
    rule(steps.send(b"bye\n"), steps.close(), when=b"quit"),
    rule(steps.send(b"half"), steps.half_close(), when=b"half"),
    rule(steps.send(b"gone"), steps.reset(), when=b"reset"),
    rule(steps.delay_fixed(1.0), steps.send(b"late\n"), when=b"late"),
    rule(steps.echo(), steps.send(b"\n")),
)
WITHIN = Scope(listener_fields={"tls"})
NAMES = plan(rule(steps.send(compile_template("${tls.sni}/${tls.alpn}/${tls.client_name}", WITHIN))))
BOTH = pytest.mark.parametrize("version", [TLS12, TLS13])
BIG = bytes(range(256)) * 4096  # 1 MiB


def conversation(version: ssl.TLSVersion, cuts: list[int] | None = None) -> tuple[bytes, list[CloseReason | None]]:
    """What a client hears in a conversation of three flights, and how it ends."""
    client = Client(ECHO, certificates.client(version=version), cuts=cuts).shake()
    client.say(b"one\ntwo\nth").say(b"ree\n" + b"x" * 20000 + b"\nlate\n").wait(1.0)
    client.finish()
    heard = client.hear()
    assert client.book.account.rules == [0] * 5
    assert client.closed_in_order
    return heard, [client.reason]


@BOTH
def test_replies_do_not_depend_on_where_the_wire_is_cut(version: ssl.TLSVersion) -> None:
    whole = conversation(version)
    assert whole == (b"one\ntwo\nthree\n" + b"x" * 20000 + b"\nlate\n", [CloseReason.PEER_EOF])
    for size in (1, 2, 3, 5, 7, 1000, 16384):
        assert conversation(version, [size]) == whole


@given(st.sampled_from([TLS12, TLS13]), st.lists(st.integers(1, 3000), min_size=1, max_size=8))
def test_replies_do_not_depend_on_random_cuts(version: ssl.TLSVersion, cuts: list[int]) -> None:
    heard, reasons = conversation(version, cuts)
    assert heard == b"one\ntwo\nthree\n" + b"x" * 20000 + b"\nlate\n"
    assert reasons == [CloseReason.PEER_EOF]


@BOTH
def test_handshake_may_be_cut_at_every_byte(version: ssl.TLSVersion) -> None:
    first = len(flights(version)[0])
    for size in range(1, first):
        client = Client(ECHO, certificates.client(version=version), cuts=[size, first - size, 1 << 20]).shake()
        assert client.say(b"a\n").hear() == b"a\n"
    last = len(flights(version)[1])
    for size in range(1, last):
        client = Client(ECHO, certificates.client(version=version), cuts=[first, size, 1 << 20]).shake()
        assert client.say(b"a\n").hear() == b"a\n"


def flights(version: ssl.TLSVersion) -> list[bytes]:
    """The bytes that a client sends in a handshake, by flight."""
    found: list[bytes] = []

    class Listening(Client):
        def raw(self, data: bytes) -> "Client":
            if data:
                found.append(data)
            return super().raw(data)

    Listening(ECHO, certificates.client(version=version)).shake()
    return found


@BOTH
def test_connection_lost_at_every_byte_of_the_handshake_is_counted_as_failed(version: ssl.TLSVersion) -> None:
    first, *_ = flights(version)
    for size in range(1, len(first), 7):
        client = Client(ECHO).raw(first[:size]).fin()
        assert client.ends == [Close(CloseReason.TLS_HANDSHAKE)]
        assert client.book.account.handshakes == [Handshakes.FAILED]


def test_peer_that_says_nothing_is_no_failed_handshake() -> None:
    client = Client(ECHO).fin()
    assert client.ends == [Close(CloseReason.PEER_EOF)]
    assert client.book.account.handshakes == []


@pytest.mark.parametrize("text", [b"G", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x02\x00", b"\x80\x2e\x01"])
def test_plain_text_is_not_tls(text: bytes) -> None:
    client = Client(ECHO).raw(text)
    assert (client.writes, client.ends) == ([], [HalfClose()])
    assert client.fin().ends == [HalfClose(), Close(CloseReason.NOT_TLS)]
    assert client.book.account.handshakes == [Handshakes.FAILED]


def test_second_byte_that_is_not_of_tls_is_found_when_it_comes_alone() -> None:
    client = Client(ECHO).raw(b"\x16").raw(b"x").fin()
    assert client.reason is CloseReason.NOT_TLS


def test_garbage_in_a_handshake_gets_an_alert() -> None:
    client = Client(ECHO).raw(b"\x16\x03\x01\x00\x05hello").fin()
    assert client.reason is CloseReason.TLS_HANDSHAKE
    assert client.writes[0][:1] == b"\x15"  # the record type of alerts


def test_handshake_ends_at_its_timeout() -> None:
    client = Client(ECHO, tls=certificates.server(handshake_timeout=3.0)).wait(2.9)
    assert client.ends == []
    assert client.wait(0.1).ends == [HalfClose()]
    assert client.fin().reason is CloseReason.TLS_HANDSHAKE


def test_close_needs_no_earlier_deadline_than_the_handshake_had() -> None:
    client = Client(ECHO)
    session = client.book.session
    first = session.deadline
    assert session.born + 1.9 < first
    client.shake().say(b"quit\n")
    assert session.awaits_fin
    assert first <= session.deadline


def test_handshake_that_takes_long_has_its_own_deadline_then() -> None:
    session = Client(ECHO).wait(2.0).book.session
    assert session.deadline == session.born + 10.0


def test_handshake_ends_at_the_lifetime() -> None:
    client = Client(replace(ECHO, limits=Limits(lifetime=2.0))).wait(2.0)
    assert client.fin().reason is CloseReason.MAX_LIFETIME


def test_idle_timeout_begins_after_the_handshake() -> None:
    client = Client(replace(ECHO, limits=Limits(idle_timeout=2.0))).wait(1.9).shake().wait(1.9)
    assert client.ends == []
    assert client.wait(0.1).finish().reason is CloseReason.IDLE_TIMEOUT


def test_rules_on_connect_act_after_the_handshake() -> None:
    greets = replace(ECHO, on_connect=Rules([rule(steps.send(b"hello\n"))]))
    client = Client(greets)
    assert client.writes == []
    client.shake()
    assert client.hear() == b"hello\n"
    assert client.say(b"a\n").hear() == b"hello\na\n"


def test_data_behind_the_handshake_is_answered_after_the_rule_on_connect() -> None:
    greets = replace(ECHO, on_connect=Rules([rule(steps.send(b"hello\n"))]))
    client = Client(greets, cuts=[1 << 20])
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.flush()
    client.tls.do_handshake()
    client.tls.write(b"first\n")
    client.flush()
    assert client.hear() == b"hello\nfirst\n"


def test_data_behind_the_handshake_is_read_although_our_half_is_closed() -> None:
    greets = replace(ECHO, on_connect=Rules([rule(steps.send(b"hello\n"), steps.half_close())]))
    client = Client(greets)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.flush()
    client.tls.do_handshake()
    client.tls.write(b"first\n")
    client.flush()
    assert (client.hear(), client.closed_in_order, client.ends) == (b"hello\n", True, [])
    assert client.say(b"second\n").finish().ends == [Close(CloseReason.PEER_EOF)]


# ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────


@BOTH
def test_close_is_close_notify_then_fin(version: ssl.TLSVersion) -> None:
    client = Client(ECHO, certificates.client(version=version)).shake().say(b"quit\n")
    assert (client.hear(), client.closed_in_order) == (b"bye\n", True)
    assert client.ends == [HalfClose()]
    assert client.finish().ends == [HalfClose(), Close(CloseReason.SERVER_CLOSE)]


def test_close_waits_for_the_peer_only_while_it_lingers() -> None:
    client = Client(ECHO).shake().say(b"quit\n").wait(2.0)
    assert client.ends == [HalfClose(), Close(CloseReason.SERVER_CLOSE)]


def test_what_comes_after_our_close_is_discarded() -> None:
    client = Client(ECHO).shake().say(b"quit\n").say(b"more\n")
    assert client.hear() == b"bye\n"
    assert client.fin().ends == [HalfClose(), Close(CloseReason.SERVER_CLOSE)]


@BOTH
def test_half_close_is_close_notify_without_fin_and_the_peer_may_go_on(version: ssl.TLSVersion) -> None:
    client = Client(ECHO, certificates.client(version=version)).shake().say(b"half\n")
    assert (client.hear(), client.closed_in_order, client.ends) == (b"half", True, [])
    client.say(b"ignored\n")
    assert client.book.session.wants_read
    client.finish()
    assert client.ends == [Close(CloseReason.PEER_EOF)]


def test_close_after_half_close_sends_fin() -> None:
    half = plan(rule(steps.half_close(), steps.delay_fixed(1.0), steps.close()))
    client = Client(half).shake().say(b"a\n")
    assert client.ends == []
    assert client.wait(1.0).ends == [HalfClose()]
    assert client.fin().reason is CloseReason.SERVER_CLOSE


def test_close_notify_of_the_peer_is_its_eof() -> None:
    whole = plan(rule(steps.echo()), framing=UntilEof())
    client = Client(whole).shake().say(b"all of").say(b" it").finish()
    assert (client.hear(), client.closed_in_order) == (b"all of it", True)
    assert client.ends == [Close(CloseReason.PEER_EOF)]


def test_bare_fin_is_eof_with_its_own_reason() -> None:
    whole = plan(rule(steps.echo()), framing=UntilEof())
    client = Client(whole).shake().say(b"all").fin()
    assert (client.hear(), client.closed_in_order) == (b"all", True)
    assert client.ends == [Close(CloseReason.TLS_CUT)]


def test_fin_behind_close_notify_is_not_bare() -> None:
    client = Client(ECHO).shake().say(b"late\n").finish().fin()
    assert client.ends == []
    client.wait(1.0)
    assert (client.hear(), client.ends) == (b"late\n", [Close(CloseReason.PEER_EOF)])


def test_eof_waits_until_the_output_is_flushed() -> None:
    client = Client(plan(rule(steps.send(BIG))), room=4096).shake()
    client.tls.write(b"a\n")
    client.finish()
    assert client.ends == []
    client.book.read()
    client.take()
    assert (client.hear(), client.closed_in_order) == (BIG, True)
    assert client.ends == [Close(CloseReason.PEER_EOF)]


def test_reset_sends_no_close_notify() -> None:
    client = Client(ECHO).shake().say(b"reset\n")
    assert (client.hear(), client.closed_in_order) == (b"gone", False)
    assert client.ends == [Reset(CloseReason.SERVER_RESET)]


def test_truncate_sends_no_close_notify() -> None:
    cut = replace(
        plan(rule(steps.send(b"hello, world"), name="it")), faults=(Fault("cut", 7, Truncate(5, by_reset=False)),)
    )
    cut = replace(cut, on_request=Rules([replace(each, has_faults=True) for each in cut.on_request.in_order]))
    client = Client(cut).shake().say(b"a\n")
    assert (client.hear(), client.closed_in_order) == (b"hello", False)
    assert client.ends == [HalfClose()]


def test_record_that_is_not_valid_closes_with_an_alert() -> None:
    client = Client(ECHO).shake().say(b"a\n")
    client.raw(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ssl.SSLError, match="ALERT_BAD_RECORD_MAC"):
        client.hear()
    assert client.plain == b"a\n"
    assert client.fin().ends == [HalfClose(), Close(CloseReason.TLS_ERROR)]


# ── Drains ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_drain_lets_a_handshake_and_its_first_request_be_finished() -> None:
    client = Client(ECHO)
    client.book >> drain
    client.shake().say(b"a\n")
    assert (client.hear(), client.closed_in_order) == (b"a\n", True)
    assert client.finish().reason is CloseReason.DRAIN


def test_drain_ends_a_handshake_that_takes_long() -> None:
    client = Client(ECHO)
    client.book >> drain
    assert client.wait(0.9).ends == []
    assert client.wait(0.1).ends == [HalfClose()]
    assert client.fin().reason is CloseReason.DRAIN


def test_drain_closes_an_idle_connection_at_once() -> None:
    client = Client(ECHO).shake().say(b"a\n")
    client.book >> drain
    client.take()
    assert (client.hear(), client.closed_in_order) == (b"a\n", True)
    assert client.finish().reason is CloseReason.DRAIN


# ── Output ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_output_of_one_turn_is_one_write() -> None:
    client = Client(ECHO).shake()
    before = len(client.writes)
    client.say(b"a\nb\nc\nquit\n")
    assert (len(client.writes) - before, client.hear()) == (1, b"a\nb\nc\nbye\n")


@pytest.mark.parametrize("size", [AHEAD - 1, AHEAD, AHEAD + 1, len(BIG)])
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_large_reply_is_encrypted_piece_by_piece(size: int, kind: type[bytes] | type[memoryview]) -> None:
    client = Client(plan(rule(steps.send(kind(BIG[:size])), steps.close()))).shake().say(b"a\n")
    assert (client.hear(), client.closed_in_order) == (BIG[:size], True)
    assert max(map(len, client.writes)) <= AHEAD * 1.01


def test_connection_is_over_once_its_last_bytes_are_given_to_the_kernel() -> None:
    client = Client(plan(rule(steps.send(BIG), steps.reset()))).shake()
    layer = client.book.session
    client.book.room = 0
    client.say(b"a\n")
    assert (client.ends, layer.over) == ([], False)
    client.book.read()
    client.take()
    assert (client.ends, layer.over) == ([Reset(CloseReason.SERVER_RESET)], True)


def test_peer_that_does_not_read_holds_at_most_one_piece() -> None:
    client = Client(plan(rule(steps.send(BIG))), room=0)
    client.book.room = None
    client.shake()
    client.book.room = 0
    before = sum(map(len, client.writes))
    client.say(b"a\n")
    assert sum(map(len, client.writes)) - before <= AHEAD * 1.01
    client.wait(29)
    assert client.ends == []
    client.wait(1)
    assert client.reason is CloseReason.WRITE_TIMEOUT


def test_large_reply_goes_on_in_the_next_turn_once_its_turn_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_layer, "TURN_SECONDS", 0.0)
    client = Client(plan(rule(steps.send(BIG)))).shake().say(b"a\n")
    assert client.hear() == BIG
    assert client.book.turns > 1


def test_requests_during_a_large_reply_are_answered_behind_it() -> None:
    client = Client(plan(rule(steps.send(BIG), when=b"big"), rule(steps.echo())), room=4096).shake()
    client.say(b"big\n").say(b"next\n")
    client.book.read()
    client.take()
    assert client.hear() == BIG + b"next"


# ── Names, versions, resumption ───────────────────────────────────────────────────────────────────────────────────


@BOTH
def test_names_are_those_of_the_handshake(version: ssl.TLSVersion) -> None:
    own = certificates.issued("someone.test", common_name="billing")
    context = certificates.client(version=version, alpn=["x", "h2"], own=own)
    client = Client(NAMES, context, certificates.server(alpn=("h2", "http/1.1"), clients=True)).shake()
    assert client.say(b"a\n").hear() == b"localhost/h2/billing"


def test_names_are_empty_where_the_client_says_nothing() -> None:
    context = certificates.client()
    context.check_hostname = False
    optional = certificates.server(clients=True, client_certificate=ssl.CERT_OPTIONAL)
    client = Client(NAMES, context, optional, name=None)
    assert client.shake().say(b"a\n").hear() == b"//"


def test_client_name_is_the_first_alternative_name_without_a_common_name() -> None:
    context = certificates.client(own=certificates.issued("someone.test"))
    client = Client(NAMES, context, certificates.server(clients=True)).shake()
    assert client.say(b"a\n").hear() == b"localhost//someone.test"


@BOTH
@pytest.mark.parametrize("stranger", [False, True])
def test_client_without_a_valid_certificate_is_rejected(version: ssl.TLSVersion, stranger: bool) -> None:
    context = certificates.client(version=version)
    if stranger:
        certificates.issued("someone.test", of=1).configure_cert(context)
    client = Client(ECHO, context, certificates.server(clients=True))
    with pytest.raises(ssl.SSLError, match="ALERT"):
        client.shake().hear()
    assert client.fin().reason is CloseReason.TLS_HANDSHAKE
    assert client.book.account.handshakes == [Handshakes.FAILED]


def test_old_version_is_rejected() -> None:
    client = Client(ECHO, certificates.client(version=TLS12), certificates.server(min_version=TLS13))
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        client.shake()
    assert client.fin().reason is CloseReason.TLS_HANDSHAKE


@pytest.mark.parametrize(
    "asked, served",
    [
        ("localhost", "localhost"),
        ("b.test", "b.test"),
        ("B.Test", "b.test"),
        ("www.c.test", "*.c.test"),
        ("a.b.c.test", "localhost"),
        ("other.test", "localhost"),
    ],
)
def test_certificate_is_the_one_for_the_name(asked: str, served: str) -> None:
    context = certificates.client()
    context.check_hostname = False
    client = Client(ECHO, context, certificates.server(more=("b.test", "*.c.test")), name=asked).shake()
    alternatives = (client.tls.getpeercert() or {})["subjectAltName"]
    assert alternatives == (("DNS", served),)


@BOTH
def test_session_is_resumed(version: ssl.TLSVersion) -> None:
    tls, context = certificates.server(), certificates.client(version=version)
    first = Client(ECHO, context, tls).shake().say(b"a\n")
    first.hear()
    second = Client(ECHO, context, tls)
    second.tls.session = first.tls.session
    assert second.shake().say(b"b\n").hear() == b"b\n"
    full = Handshakes.TLS_1_2 if version is TLS12 else Handshakes.TLS_1_3
    assert first.book.account.handshakes == [full]
    assert second.book.account.handshakes == [Handshakes(full + 1)]


def test_other_certificates_are_used_in_new_handshakes_alone() -> None:
    tls = certificates.server()
    old = Client(ECHO, tls=tls).shake()
    before = old.tls.getpeercert(binary_form=True)
    tls.load(Material((certificates.pair("localhost", "new.test"),)))
    new = Client(ECHO, tls=tls).shake()
    assert new.tls.getpeercert(binary_form=True) != before
    assert old.say(b"a\n").hear() == b"a\n"


# ── With other layers ─────────────────────────────────────────────────────────────────────────────────────────────


def test_slow_reader_reads_plain_text_at_its_rate() -> None:
    slow = Fault("slow", 7, Bandwidth(10), sequence_cell=100, read_rate=10)
    client = Client(replace(plan(rule(steps.echo())), faults_from_peer=(slow,))).shake().say(b"123456789\n")
    client.wait(0.99)
    assert client.hear() == b""
    assert client.wait(0.02).hear() == b"123456789"


def test_requests_are_timed_and_counted_once() -> None:
    client = Client(ECHO).shake().say(b"a\nb\n").say(b"c\n")
    assert client.hear() == b"a\nb\nc\n"
    assert len(client.book.account.durations) == 3


def test_send_action_is_not_plain_text() -> None:
    client = Client(ECHO).shake().say(b"secret\n")
    assert client.hear() == b"secret\n"
    assert not any(b"secret" in written for written in client.writes)


def test_connection_without_tls_has_no_layer() -> None:
    book = Playbook(ECHO)
    assert isinstance(book.session, Session)
    book >> b"a\n" << Send(b"a\n")
    book >> eof << Close(CloseReason.PEER_EOF)


def test_full_handshake_gives_one_ticket() -> None:
    client = Client(ECHO, certificates.client(version=TLS13)).shake()
    last, at, records = client.writes[-1], 0, 0
    while at < len(last):
        at += 5 + int.from_bytes(last[at + 3 : at + 5])
        records += 1
    assert records == 1
