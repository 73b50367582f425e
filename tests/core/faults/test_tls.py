"""Faults of the handshake: how far it comes, and how it ends."""

import ssl
from contextlib import suppress
from dataclasses import replace

import pytest

from answerback.core import steps
from answerback.core.actions import Action, Close, CloseReason, HalfClose, Reset
from answerback.core.bounded_counter import CountedFor
from answerback.core.faults import Bandwidth, Ending, Fault, Point, Tls, alert
from answerback.core.selection import Rules
from answerback.core.tls import Handshakes
from tests.core.plans import plan, rule
from tests.core.playbook import drain, fin
from tests.tls import certificates
from tests.tls.playing import TLS12, TLS13, Client

FAULT = 7  # its cell
SERVER_CLOSE, PEER_GAVE_UP = CloseReason.SERVER_CLOSE, CloseReason.PEER_GAVE_UP
BOTH = pytest.mark.parametrize("version", [TLS12, TLS13])
ENDS: dict[Ending, list[Action]] = {
    Ending.RESET: [Reset(CloseReason.SERVER_RESET)],
    Ending.CLOSE: [HalfClose()],
    Ending.STALL: [],
}


def faulty(*effects: Tls, **given: object) -> list[Fault]:
    return [Fault(f"faults[{at}]", FAULT + at, effect, handshake=effect, **given) for at, effect in enumerate(effects)]  # type: ignore[arg-type]


def client(*faults: Fault, version: ssl.TLSVersion = TLS13, timeout: float = 10.0, **options: object) -> Client:
    echo = replace(plan(rule(steps.echo(), steps.send(b"\n"))), handshake_faults=faults)
    own = certificates.client(version=version)
    return Client(echo, own, certificates.server(handshake_timeout=timeout), **options)  # type: ignore[arg-type]


def shaken(*faults: Fault, **options: object) -> Client:
    """A client whose handshake does not come to its end, at the server."""
    found = client(*faults, **options)  # type: ignore[arg-type]
    with pytest.raises((ssl.SSLError, AssertionError)):
        found.shake()
    return found


def records(data: bytes) -> list[tuple[int, int]]:
    """The type of each record, and of the message in it."""
    found, at = [], 0
    while at < len(data):
        found.append((data[at], data[at + 5]))
        at += 5 + int.from_bytes(data[at + 3 : at + 5])
    assert at == len(data), "a record is cut"
    return found


@BOTH
@pytest.mark.parametrize("ending", Ending)
def test_handshake_ends_behind_the_clients_hello_with_nothing_sent(version: ssl.TLSVersion, ending: Ending) -> None:
    found = shaken(*faulty(Tls(Point.CLIENT_HELLO, ending)), version=version)
    assert (found.writes, found.ends) == ([], ENDS[ending])
    assert found.book.account.strikes == [FAULT]
    assert found.book.account.handshakes == [Handshakes.FAILED]


@BOTH
@pytest.mark.parametrize("ending", Ending)
def test_handshake_ends_behind_the_servers_hello(version: ssl.TLSVersion, ending: Ending) -> None:
    found = shaken(*faulty(Tls(Point.SERVER_HELLO, ending)), version=version)
    assert records(b"".join(found.writes)) == [(22, 2)]
    assert found.ends == ENDS[ending]
    assert found.book.account.strikes == [FAULT]
    assert found.book.account.handshakes == [Handshakes.FAILED]


@BOTH
@pytest.mark.parametrize("ending", Ending)
def test_handshake_ends_once_it_is_complete(version: ssl.TLSVersion, ending: Ending) -> None:
    found = client(*faulty(Tls(Point.FINISHED, ending)), version=version).shake()
    assert found.ends == ENDS[ending]
    assert found.tls.version() == ("TLSv1.2" if version is TLS12 else "TLSv1.3")
    assert found.hear() == b""
    assert not found.closed_in_order
    assert found.book.account.strikes == [FAULT]
    outcome = Handshakes.TLS_1_2 if version is TLS12 else Handshakes.TLS_1_3
    assert found.book.account.handshakes == [outcome]


def test_last_words_are_sent_in_the_clear_before_the_end() -> None:
    found = client(*faulty(Tls(Point.CLIENT_HELLO, Ending.CLOSE, alert(40))))
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        found.shake()
    assert found.writes == [b"\x15\x03\x03\0\x02\x02\x28"]
    assert found.fin().ends == [HalfClose(), Close(SERVER_CLOSE)]


def test_hello_that_asks_for_another_is_not_the_servers_hello() -> None:
    server = certificates.server()
    server._contexts.first.set_ecdh_curve("secp384r1")  # a client sends no share for it at first
    faults = tuple(faulty(Tls(Point.SERVER_HELLO, Ending.CLOSE)))
    found = Client(
        replace(plan(rule(steps.echo())), handshake_faults=faults), certificates.client(version=TLS13), server
    )
    with suppress(ssl.SSLError, AssertionError):
        found.shake()
    assert records(b"".join(found.writes)) == [(22, 2), (20, 1), (22, 2)]
    assert found.ends == [HalfClose()]


@BOTH
@pytest.mark.parametrize("point", Point)
def test_point_does_not_depend_on_where_the_wire_is_cut(version: ssl.TLSVersion, point: Point) -> None:
    def sent(cuts: list[int] | None) -> tuple[list[int], list[Action]]:
        found = client(*faulty(Tls(point, Ending.CLOSE)), version=version, cuts=cuts)
        with suppress(ssl.SSLError, AssertionError):
            found.shake()
        return [kind for kind, _ in records(b"".join(found.writes))], found.ends

    whole = sent(None)
    assert [sent([size]) for size in (1, 2, 5, 100)] == [whole] * 4


def test_handshake_goes_on_while_no_fault_applies() -> None:
    found = client(*faulty(Tls(Point.SERVER_HELLO, Ending.RESET), skip=1)).shake()
    assert found.say(b"a\n").hear() == b"a\n"
    assert found.book.account.strikes == []


def test_faults_of_one_point_are_tried_in_order_and_one_applies() -> None:
    first, second = faulty(Tls(Point.CLIENT_HELLO, Ending.RESET), Tls(Point.CLIENT_HELLO, Ending.CLOSE))
    found = shaken(replace(first, skip=1), second)
    assert (found.ends, found.book.account.strikes) == ([HalfClose()], [FAULT + 1])


def test_fault_of_a_later_point_is_not_counted_for_a_handshake_that_ended_before() -> None:
    late, early = faulty(Tls(Point.FINISHED, Ending.RESET), Tls(Point.CLIENT_HELLO, Ending.CLOSE))
    found = shaken(late, early)
    assert found.book.account.strikes == [FAULT + 1]


def test_rejected_handshake_is_no_fault() -> None:
    found = client(*faulty(Tls(Point.CLIENT_HELLO, Ending.STALL)))
    found.raw(b"\x16\x03\x01\0\x05hello").fin()
    assert found.reason is CloseReason.TLS_HANDSHAKE
    assert found.book.account.strikes == []


def test_plain_text_is_no_fault() -> None:
    found = client(*faulty(Tls(Point.CLIENT_HELLO, Ending.STALL))).raw(b"GET / HTTP/1.1\r\n\r\n").fin()
    assert (found.reason, found.book.account.strikes) == (CloseReason.NOT_TLS, [])


@pytest.mark.parametrize("scope", [CountedFor.LISTENER, CountedFor.PEER])
def test_times_counts_handshakes(scope: CountedFor) -> None:
    first = client(*faulty(Tls(Point.CLIENT_HELLO, Ending.RESET), times=2, scope=scope))
    counters, peers = first.somewhere.counters, first.somewhere.peer_counters
    struck = []
    for _ in range(4):
        found = client(*faulty(Tls(Point.CLIENT_HELLO, Ending.RESET), times=2, scope=scope))
        found.somewhere.counters, found.somewhere.peer_counters = counters, peers
        try:
            struck.append(found.shake().say(b"a\n").hear())
        except AssertionError:
            struck.append(b"")
    assert struck == [b"", b"", b"a\n", b"a\n"]


# ── A stall ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("point", Point)
def test_stall_ends_at_the_handshake_timeout(point: Point) -> None:
    found = client(*faulty(Tls(point, Ending.STALL)), timeout=3.0)
    if point is Point.FINISHED:
        found.shake()
    else:
        with pytest.raises(AssertionError):
            found.shake()
    assert found.wait(2.9).ends == []
    assert found.wait(0.2).ends == [HalfClose()]
    assert found.fin().reason is CloseReason.TLS_HANDSHAKE
    assert len(found.book.account.handshakes) == 1


def test_stall_ends_when_the_client_closes_its_half() -> None:
    found = shaken(*faulty(Tls(Point.SERVER_HELLO, Ending.STALL)))
    assert found.fin().ends == [Close(PEER_GAVE_UP)]


def test_stall_ends_when_fin_is_noted_behind_data_that_is_not_read() -> None:
    found = shaken(*faulty(Tls(Point.SERVER_HELLO, Ending.STALL)))
    found.book >> fin
    assert found.take().ends == [HalfClose()]


def test_stall_ends_with_a_drain() -> None:
    found = shaken(*faulty(Tls(Point.CLIENT_HELLO, Ending.STALL)))
    found.book >> drain
    assert found.take().ends == [HalfClose()]


def test_stalled_connection_reads_a_bounded_amount() -> None:
    found = shaken(*faulty(Tls(Point.CLIENT_HELLO, Ending.STALL)))
    read = 0
    while found.book.session.wants_read:
        found.raw(b"x" * 4096)
        read += 4096
    assert 0 < read <= 256 << 10


def test_reset_of_a_stalled_connection_is_the_peer_giving_up() -> None:
    found = shaken(*faulty(Tls(Point.CLIENT_HELLO, Ending.STALL)))
    assert found.book.session.connection_lost(CloseReason.PEER_RESET) is PEER_GAVE_UP
    assert found.book.account.handshakes == [Handshakes.FAILED]


# ── start_tls ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("point", Point)
@pytest.mark.parametrize("ending", Ending)
def test_handshake_of_a_step_ends_in_the_same_way(point: Point, ending: Ending) -> None:
    starts = rule(steps.send(b"go\n"), steps.start_tls(), steps.send(b"never"), when=b"STARTTLS")
    echo = replace(plan(starts, rule(steps.echo())), handshake_faults=tuple(faulty(Tls(point, ending))))
    found = Client(echo, None, certificates.server(at_once=False, handshake_timeout=3.0))
    found.raw(b"STARTTLS\n")
    assert found.incoming.read() == b"go\n"
    with suppress(ssl.SSLError, AssertionError):
        found.shake()
    assert found.ends == ENDS[ending]
    assert found.book.account.strikes == [FAULT]
    if ending is Ending.STALL:
        assert found.wait(3.1).ends == [HalfClose()]
        assert found.fin().reason is CloseReason.TLS_HANDSHAKE


@pytest.mark.parametrize("ending", Ending)
def test_slow_reader_inside_leaves_the_fault_alone(ending: Ending) -> None:
    slow = Fault("slow", FAULT + 1, Bandwidth(1000), read_rate=1000)
    inside = replace(plan(rule(steps.echo())), faults_from_peer=(slow,), on_connect=Rules())
    found = Client(replace(inside, handshake_faults=tuple(faulty(Tls(Point.SERVER_HELLO, ending)))))
    with pytest.raises((ssl.SSLError, AssertionError)):
        found.shake()
    assert found.ends == ENDS[ending]
