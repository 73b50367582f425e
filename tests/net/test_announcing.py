"""Connections that begin with a PROXY header, over real sockets: who is served, limited, counted and recorded."""

import socket
from contextlib import suppress
from dataclasses import replace

import pytest

from answerback.core.actions import CloseReason
from answerback.core.plan import ListenerPlan, Plan
from answerback.net.connection import Connection
from answerback.shared import listener_counters
from tests.language.compiling import only
from tests.language.configurations import listener
from tests.net.conftest import KINDS, UNIX_KINDS, Client, Serving, each_of
from tests.ports import IPV6
from tests.proxying import SIGNATURE, local, v1, v2, v2_unix
from tests.waiting import eventually

CLIENT, OTHER = "192.0.2.7", "2001:db8::9"
ACCEPTED, OPEN, AWAITING = listener_counters.ACCEPTED, listener_counters.OPEN, listener_counters.AWAITING_HEADER


serving = each_of([*KINDS, *UNIX_KINDS])


tcp = each_of(KINDS)


WHO = 'do: [send: {template: "${peer.host} ${peer.port} ${proxy.host} ${request}\\n"}]'


def compiled(*rules: str, proxy: str = "REQUIRED", rest: str = "") -> ListenerPlan:
    """A listener that says who its client is."""
    written = ", ".join(f"{{{rule}}}" for rule in (*rules, WHO))
    text = f"framing: line\nproxy_protocol: {proxy}\nrules: [{written}]\n{rest}"
    return replace(only(listener(text)), socket="it")


def proxy_host(serving: Serving) -> str:
    return "" if serving.folder else "127.0.0.1"


def own(client: Client) -> str:
    """The client's own address and port, as the server writes them."""
    name = client.sock.getsockname()
    return f"{name[0]} {name[1]}" if isinstance(name, tuple) else " 0"


def was_reset(serving: Serving, client: Client) -> bool:
    """Whether the server has reset the connection, which a Unix socket reads as its end."""
    try:
        return client.sock.recv(1) == b"" and serving.folder is not None
    except ConnectionResetError:
        return True


def line(client: Client) -> str:
    data = b""
    while not data.endswith(b"\n"):
        data += client.hear(1)
    return data.decode().rstrip("\n")


# ── Who the client is ──


@pytest.mark.parametrize(
    "header, peer",
    [(v1(CLIENT, 7), f"{CLIENT} 7"), (v2(OTHER, 8, "::1"), f"{OTHER} 8"), (v2_unix(), " 0")],
    ids=["v1", "v2", "unix"],
)
def test_rules_see_the_client_that_the_header_names(serving: Serving, header: bytes, peer: str) -> None:
    serving.commit(compiled())
    assert line(serving.connect().say(header + b"hi\n")) == f"{peer} {proxy_host(serving)} hi"
    in_pieces = serving.connect()
    for byte in header:
        in_pieces.say(bytes([byte]))
    for request in ("one", "two"):
        assert line(in_pieces.say(f"{request}\n".encode())) == f"{peer} {proxy_host(serving)} {request}"


def test_header_without_an_address_leaves_that_of_the_socket(serving: Serving) -> None:
    serving.commit(compiled())
    client = serving.connect()
    assert line(client.say(b"PROXY UNKNOWN\r\nhi\n")) == f"{own(client)} {proxy_host(serving)} hi"
    assert serving.count(ACCEPTED) == 1


def test_condition_on_the_peer_is_one_on_the_client(serving: Serving) -> None:
    serving.commit(compiled(f'when: {{peer: {CLIENT}}}, do: [send: "known\\n"]'))
    assert line(serving.connect().say(v1(CLIENT) + b"a\n")) == "known"
    assert line(serving.connect().say(v1(OTHER, destination="::1") + b"a\n")).startswith(OTHER)


def test_greeting_comes_when_the_header_has_arrived_and_before_the_replies(serving: Serving) -> None:
    serving.commit(compiled('event: CONNECT, do: [send: {template: "hello ${peer.host}\\n"}]'))
    silent = serving.connect()
    silent.say(v1(CLIENT)[:-1])
    eventually(lambda: serving.count(AWAITING) == 1)
    silent.sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        silent.sock.recv(1)
    silent.sock.settimeout(10)
    assert line(silent.say(b"\n")) == f"hello {CLIENT}"
    eager = serving.connect().say(v2(CLIENT, 5) + b"one\ntwo\n").finish()
    assert eager.hear_all().decode().splitlines() == [
        f"hello {CLIENT}", *(f"{CLIENT} 5 {proxy_host(serving)} {word}" for word in ("one", "two"))
    ]  # fmt: skip


def test_script_that_reads_on_connect_gets_what_came_with_the_header(serving: Serving) -> None:
    reads = 'event: CONNECT, do: [receive: {framing: line, into: who}, send: {template: "hi ${vars.who}\\n"}]'
    serving.commit(compiled(reads))
    assert line(serving.connect().say(v1() + b"ann\nhi\n")) == "hi ann"


def test_connection_list_shows_the_client_and_what_is_awaited(serving: Serving) -> None:
    serving.commit(compiled())
    client = serving.connect().say(v1(CLIENT, 9)[:10])
    eventually(lambda: serving.count(AWAITING) == 1)
    assert serving.call(lambda: only_connection(serving).waits_for) == "proxy_header"
    line(client.say(v1(CLIENT, 9)[10:] + b"hi\n"))
    assert serving.call(lambda: only_connection(serving).peer) == (CLIENT, 9)
    assert serving.call(lambda: only_connection(serving).waits_for) == "request"


def only_connection(serving: Serving) -> Connection:
    """To be called in the loop's thread."""
    (connection,) = serving.listeners.connections()
    assert isinstance(connection, Connection)
    return connection


def test_slow_reader_and_header_work_together(serving: Serving) -> None:
    serving.commit(compiled(rest="faults: [{direction: FROM_PEER, bandwidth: {bytes_per_second: 100000}}]"))
    assert line(serving.connect().say(v1(CLIENT, 3) + b"hi\n")) == f"{CLIENT} 3 {proxy_host(serving)} hi"


@pytest.mark.parametrize("mode", ["REQUIRED", "OPTIONAL"])
@IPV6
def test_proxy_that_connects_by_ipv6_names_clients_of_either_family(tcp: Serving, mode: str) -> None:
    with socket.socket(socket.AF_INET6) as listening:
        listening.bind(("::1", 0))
        listening.listen()
        tcp.addresses["six"] = listening.getsockname()[:2]
        plan = tcp.placed(compiled(proxy=f"{{mode: {mode}, from: ['::1']}}"), "six")
        tcp.call(tcp.listeners.commit, Plan(1, {"it": plan}), {"six": listening.dup()})
        for header, peer in ((v1(CLIENT, 5), f"{CLIENT} 5"), (v2(OTHER, 6, "::1"), f"{OTHER} 6")):
            with socket.create_connection(listening.getsockname()[:2]) as client, client.makefile("rb") as lines:
                client.sendall(header + b"hi\n")
                assert lines.readline().decode() == f"{peer} ::1 hi\n"


# ── Without a valid header ──


@pytest.mark.parametrize(
    "sent", [b"hi\n", b"PROXY TCP4 nobody\r\n", SIGNATURE + b"\xff\xff\xff\xff", b"PROXY " + b"x" * 200], ids=repr
)
def test_connection_without_a_valid_header_is_reset_and_counted(serving: Serving, sent: bytes) -> None:
    serving.commit(compiled('event: CONNECT, do: [send: "never\\n"]'))
    assert was_reset(serving, serving.connect().say(sent))
    serving.settle()
    assert [serving.closed(CloseReason.PROXY_HEADER), serving.count(ACCEPTED), serving.count(AWAITING)] == [1, 1, 0]
    assert serving.count(listener_counters.RECEIVED_BYTES) == len(sent)
    assert serving.count(listener_counters.REQUESTS) == 0


def test_header_that_is_late_is_reset(serving: Serving) -> None:
    serving.commit(compiled(proxy="{timeout: 100ms}"))
    assert was_reset(serving, serving.connect())
    assert was_reset(serving, serving.connect().say(v2()[:20]))
    serving.settle()
    assert serving.closed(CloseReason.PROXY_HEADER) == 2


def test_check_that_only_connects_is_closed_in_order_and_counted_as_without_data(serving: Serving) -> None:
    serving.commit(compiled())
    assert serving.connect().finish().hear_all() == b""
    serving.settle()
    assert serving.closed(CloseReason.PEER_EOF) == serving.count(listener_counters.PROBES) == 1


def test_client_that_sends_nothing_behind_its_header_is_counted_as_without_data(serving: Serving) -> None:
    serving.commit(compiled())
    assert serving.connect().say(v1()).finish().hear_all() == b""
    serving.settle()
    assert serving.closed(CloseReason.PEER_EOF) == serving.count(listener_counters.PROBES) == 1


@pytest.mark.parametrize("mode", ["REQUIRED", "OPTIONAL"])
def test_header_of_a_peer_that_is_not_listed_is_reset(tcp: Serving, mode: str) -> None:
    tcp.commit(compiled(proxy=f"{{mode: {mode}, from: [192.0.2.0/24]}}"))
    with suppress(ConnectionResetError, BrokenPipeError):
        assert was_reset(tcp, tcp.connect().say(v1()))
    eventually(lambda: tcp.count(ACCEPTED) == 1)
    tcp.settle()
    assert tcp.closed(CloseReason.PROXY_HEADER) == tcp.count(ACCEPTED) == 1


def test_peer_that_is_listed_may_send_a_header(tcp: Serving) -> None:
    tcp.commit(compiled(proxy="{from: [192.0.2.0/24, 127.0.0.0/8]}"))
    assert line(tcp.connect().say(v1(CLIENT, 1) + b"hi\n")) == f"{CLIENT} 1 127.0.0.1 hi"


# ── OPTIONAL ──


def test_client_without_a_header_is_served_where_it_is_optional(serving: Serving) -> None:
    serving.commit(compiled(proxy="{mode: OPTIONAL, timeout: 200ms}"))
    client = serving.connect()
    assert line(client.say(b"PRINT\n")) == f"{own(client)}  PRINT"
    late = serving.connect().say(b"PRO")
    eventually(lambda: serving.count(ACCEPTED) == 2)  # the timeout
    assert line(late.say(b"\n")) == f"{own(late)}  PRO"
    leaving = serving.connect().say(b"PROXY").finish()
    assert leaving.hear_all() == b""
    assert line(serving.connect().say(v2(CLIENT, 1) + b"hi\n")) == f"{CLIENT} 1 {proxy_host(serving)} hi"
    assert serving.closed(CloseReason.PROXY_HEADER) == 0


# ── Limits ──


def test_limit_for_each_peer_is_one_for_each_client(serving: Serving) -> None:
    serving.commit(compiled(rest="limits: {max_connections_per_peer: 1}"))
    first = serving.connect().say(v1(CLIENT, 1) + b"a\n")
    line(first)
    assert line(serving.connect().say(v2(OTHER, 1, "::1") + b"b\n")).startswith(OTHER)
    assert was_reset(serving, serving.connect().say(v2(CLIENT, 2) + b"c\n"))
    assert was_reset(serving, serving.connect().say(v2(f"::ffff:{CLIENT}", 3, "::1")))
    eventually(lambda: serving.count(OPEN) == 2)
    assert serving.count(listener_counters.REJECTED + 1) == 2
    assert [serving.count(ACCEPTED), serving.count(AWAITING)] == [2, 0]
    first.finish().hear_all()
    eventually(lambda: serving.count(OPEN) == 1)
    assert line(serving.connect().say(v1(CLIENT, 4) + b"d\n")).startswith(CLIENT)


def test_rule_counts_for_each_client_that_a_header_names(serving: Serving) -> None:
    serving.commit(compiled('times: 2, scope: PEER, do: [send: "+\\n"]'))
    first = [line(serving.connect().say(v1(CLIENT, port) + b"a\n"))[0] for port in (1, 2, 3)]
    other = serving.connect().say(v2(OTHER, 1, "::1"))
    assert (first, [line(other.say(b"b\n"))[0] for _ in range(3)]) == (["+", "+", "1"], ["+", "+", "2"])
    unknown = serving.connect().say(b"PROXY UNKNOWN\r\n")
    assert [line(unknown.say(b"c\n")) == "+" for _ in range(3)] == [True, True, False]


def test_rule_on_limit_speaks_to_a_client_that_has_too_many(serving: Serving) -> None:
    full = 'event: LIMIT, do: [send: {template: "full for ${peer.host}\\n"}]'
    serving.commit(compiled(full, rest="limits: {max_connections_per_peer: 1}"))
    line(serving.connect().say(v1(CLIENT, 1) + b"a\n"))
    turned_away = serving.connect().say(v1(CLIENT, 2) + b"b\n")
    assert turned_away.hear_all().decode() == f"full for {CLIENT}\n"
    turned_away.close()
    eventually(lambda: serving.count(OPEN) == 1)
    serving.clients[0].finish().hear_all()
    serving.settle()
    counts = (ACCEPTED, listener_counters.REJECTED + 1, listener_counters.REQUESTS, OPEN, AWAITING)
    assert [serving.count(each) for each in counts] == [1, 1, 1, 0, 0]
    assert serving.count(listener_counters.RECEIVED_BYTES) == len(v1(CLIENT, 1)) + 2


def test_all_connections_count_towards_their_maximum_from_accept_on(serving: Serving) -> None:
    serving.commit(compiled(rest="limits: {max_connections: 2}"))
    silent = serving.connect()
    eventually(lambda: serving.count(AWAITING) == 1)
    line(serving.connect().say(v1() + b"a\n"))
    with pytest.raises((ConnectionResetError, BrokenPipeError, AssertionError)):
        line(serving.connect().say(v1() + b"b\n"))
    assert serving.count(listener_counters.REJECTED) == 1
    silent.close()
    eventually(lambda: serving.count(OPEN) == 1)
    line(serving.connect().say(v1() + b"c\n"))


# ── The proxy's own connections ──


def exchanges(serving: Serving) -> int:
    ring = serving.listeners.journal.exchanges
    return serving.call(lambda: ring.next - ring.tail)


def test_proxys_own_connection_is_served_and_not_counted_limited_or_recorded(serving: Serving) -> None:
    limits = "limits: {max_connections: 1, max_connections_per_peer: 1}\nfaults: [{latency: 1ms}]"
    serving.commit(compiled(rest=limits))
    before = exchanges(serving)
    events_before = serving.call(lambda: serving.listeners.journal.events.next)
    checks = []
    for _ in range(3):
        check = serving.connect()
        assert line(check.say(local(b"anything") + b"hi\n")) == f"{own(check)} {proxy_host(serving)} hi"
        checks.append(check)
    block = serving.memory.region(0)[serving.places.listener("it") :][: listener_counters.BLOCK]
    assert {place: count for place, count in enumerate(block) if count} == {}
    assert line(serving.connect().say(v1(CLIENT, 1) + b"a\n")).startswith(CLIENT)
    for check in checks:
        assert check.finish().hear_all() == b""
    serving.clients[-1].finish().hear_all()
    serving.settle()
    assert exchanges(serving) == before + 1
    assert serving.call(lambda: serving.listeners.journal.events.next) == events_before + 1
    assert [serving.count(ACCEPTED), serving.closed(CloseReason.PEER_EOF), serving.count(OPEN)] == [1, 1, 0]


def test_proxys_own_connection_has_no_number_and_is_not_recorded_when_the_journal_is_switched_on(
    serving: Serving,
) -> None:
    rule = 'do: [send: {template: "${connection.number}\\n"}]'
    serving.commit(compiled(rule, rest="journal: {enabled: false}"))
    check, client = serving.connect().say(local()), serving.connect()
    assert [line(check.say(b"a\n")), line(client.say(v1() + b"a\n"))] == ["0", "1"]
    serving.commit(compiled(rule))
    assert [line(check.say(b"b\n")), line(client.say(b"b\n"))] == ["0", "1"]
    assert exchanges(serving) == 1


def test_proxys_own_connection_is_drained_and_listed_as_any_other(serving: Serving) -> None:
    serving.commit(compiled())
    check = serving.connect()
    line(check.say(local() + b"a\n"))
    assert serving.call(lambda: serving.listeners.open_connections) == 1
    serving.call(serving.listeners.drain)
    assert check.hear_all() == b""
    check.close()
    serving.settle()


# ── The journal ──


def test_journal_names_the_client(serving: Serving) -> None:
    serving.commit(compiled())
    line(serving.connect().say(v1(CLIENT, 77) + b"hi\n"))
    ring = serving.listeners.journal.exchanges
    record = serving.call(lambda: bytes(ring.buffer[ring.at(ring.next - 1) :][:128]))
    assert CLIENT.encode() in record


def test_end_of_a_connection_without_a_valid_header_is_recorded(serving: Serving) -> None:
    serving.commit(compiled())
    before = serving.call(lambda: serving.listeners.journal.events.next)
    assert was_reset(serving, serving.connect().say(b"x"))
    serving.settle()
    assert serving.call(lambda: serving.listeners.journal.events.next) == before + 1


# ── Changes, drains, modes ──


def test_change_of_the_field_applies_to_new_connections(serving: Serving) -> None:
    serving.commit(compiled())
    waiting = serving.connect().say(v1(CLIENT, 1)[:8])
    eventually(lambda: serving.count(AWAITING) == 1)
    without = replace(compiled(), proxy_protocol=None)
    serving.commit(without)
    plain = serving.connect()
    assert line(plain.say(b"hi\n")) == f"{own(plain)}  hi"
    assert line(waiting.say(v1(CLIENT, 1)[8:] + b"hi\n")) == f"{CLIENT} 1 {proxy_host(serving)} hi"
    serving.commit(compiled())
    assert line(plain.say(b"on\n")) == f"{own(plain)}  on"
    assert was_reset(serving, serving.connect().say(b"hi\n"))


def test_drain_answers_the_request_behind_a_header_that_is_arriving(serving: Serving) -> None:
    serving.commit(compiled())
    client = serving.connect().say(v1(CLIENT, 1)[:20])
    eventually(lambda: serving.call(lambda: only_connection(serving).received_any))
    silent = serving.connect()
    eventually(lambda: serving.count(AWAITING) == 2)
    serving.call(serving.listeners.drain)
    assert client.say(v1(CLIENT, 1)[20:] + b"hi\n").hear_all().decode() == f"{CLIENT} 1 {proxy_host(serving)} hi\n"
    assert silent.hear_all() == b""
    client.close()
    silent.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == serving.count(ACCEPTED) == 2


@pytest.mark.parametrize("mode, reason", [("CLOSE", CloseReason.SERVER_CLOSE), ("RESET", CloseReason.SERVER_RESET)])
def test_accept_modes_need_no_header(serving: Serving, mode: str, reason: CloseReason) -> None:
    serving.commit(compiled(rest=f"accept: {mode}"))
    with suppress(ConnectionResetError):
        client = serving.connect()
        assert client.hear_all() == b""
        client.close()
    eventually(lambda: serving.count(ACCEPTED) == 1)
    serving.settle()
    assert serving.closed(reason) == serving.count(ACCEPTED) == 1


@pytest.mark.parametrize("before", [True, False], ids=["header before", "none before"])
@pytest.mark.parametrize("after", [True, False], ids=["header after", "none after"])
def test_held_connection_follows_the_plan_that_releases_it(serving: Serving, before: bool, after: bool) -> None:
    normal, held = compiled(rest=PER_PEER), compiled(rest=f"accept: HOLD\n{PER_PEER}")
    serving.commit(held if before else replace(held, proxy_protocol=None))
    client = serving.connect().say((v1(CLIENT, 1) if after else b"") + b"hi\n")
    leaving = serving.connect()
    eventually(lambda: serving.count(OPEN) == 2)
    leaving.reset()
    eventually(lambda: serving.count(OPEN) == 1)
    assert serving.closed(CloseReason.PEER_GAVE_UP) == 1
    serving.commit(normal if after else replace(normal, proxy_protocol=None))
    expected = f"{CLIENT} 1 {proxy_host(serving)} hi" if after else f"{own(client)}  hi"
    assert line(client) == expected
    assert [serving.count(ACCEPTED), serving.count(AWAITING), serving.count(OPEN)] == [2, 0, 1]
    client.finish().hear_all()
    serving.settle()


def test_held_connection_over_the_limit_of_the_plan_that_releases_it_is_reset(tcp: Serving) -> None:
    tcp.commit(compiled(rest="accept: HOLD"))
    clients = [tcp.connect().say(b"hi\n") for _ in range(2)]
    eventually(lambda: tcp.count(OPEN) == 2)
    tcp.commit(replace(compiled(rest="limits: {max_connections_per_peer: 1}"), proxy_protocol=None))
    eventually(lambda: tcp.count(OPEN) == 1)
    answered = []
    for client in clients:
        with suppress(ConnectionResetError):
            answered.append(line(client))
    assert [answer.split()[-1] for answer in answered] == ["hi"]
    assert tcp.count(listener_counters.SESSION_ERRORS) == 0
    for client in clients:
        client.close()
    tcp.settle()


PER_PEER = "limits: {max_connections_per_peer: 5}"


def test_abort_resets_connections_whose_header_is_awaited(serving: Serving) -> None:
    serving.commit(compiled())
    client = serving.connect().say(b"PROXY")
    eventually(lambda: serving.count(AWAITING) == 1)
    serving.call(serving.listeners.abort)
    assert was_reset(serving, client)
    serving.settle()
    assert serving.closed(CloseReason.ABORTED) == serving.count(ACCEPTED) == 1


def test_client_that_resets_before_its_header_is_counted(tcp: Serving) -> None:
    tcp.commit(compiled())
    client = tcp.connect().say(b"PROXY")
    eventually(lambda: tcp.count(AWAITING) == 1)
    client.reset()
    tcp.settle()
    assert tcp.closed(CloseReason.PEER_RESET) == tcp.count(ACCEPTED) == 1


def test_thousand_half_headers_are_reset_at_their_timeout(tcp: Serving) -> None:
    tcp.commit(compiled(proxy="{timeout: 500ms}"))
    clients = [tcp.connect().say(v2()[:20]) for _ in range(1000)]
    assert all(was_reset(tcp, client) for client in clients)
    tcp.settle()
    assert tcp.closed(CloseReason.PROXY_HEADER) == tcp.count(ACCEPTED) == 1000
