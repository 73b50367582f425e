"""What counts as one peer, and counts for each."""

import socket
import struct
from dataclasses import replace

import pytest

from answerback.core.plan import ListenerPlan
from answerback.net.connection import Connection
from answerback.net.peers import packed, packed_host, packed_peer_of
from answerback.shared import listener_counters
from answerback.shared.key_table import BUCKET
from answerback.shared.peer_table import PeerTable
from tests.language.compiling import only
from tests.language.configurations import listener
from tests.net.conftest import UNIX_KINDS, Client, Serving, serving_as

LINK_LOCAL = b"\xfe\x80" + bytes(13) + b"\1"


@pytest.mark.parametrize(
    "family, address, expected",
    [
        (socket.AF_INET, ("192.0.2.1", 4000), bytes([192, 0, 2, 1])),
        (socket.AF_INET6, ("::1", 4000, 0, 0), bytes(15) + b"\1"),
        (socket.AF_INET6, ("2001:db8::1", 4000, 0, 3), b"\x20\x01\x0d\xb8" + bytes(11) + b"\1"),
        (socket.AF_INET6, ("::ffff:192.0.2.1", 4000, 0, 0), bytes([192, 0, 2, 1])),
        (socket.AF_INET6, ("::192.0.2.1", 4000, 0, 0), bytes(12) + bytes([192, 0, 2, 1])),
        (socket.AF_INET6, ("fe80::1", 4000, 0, 2), LINK_LOCAL + b"\0\0\0\2"),
        (socket.AF_INET6, ("fe80::1%eth0", 4000, 0, 2), LINK_LOCAL + b"\0\0\0\2"),
        (socket.AF_INET6, ("febf::1", 4000, 0, 9), b"\xfe\xbf" + LINK_LOCAL[2:] + b"\0\0\0\x09"),
        (socket.AF_INET6, ("fec0::1", 4000, 0, 9), b"\xfe\xc0" + LINK_LOCAL[2:]),
        (socket.AF_UNIX, "", b""),
        (socket.AF_UNIX, b"", b""),
    ],
)
def test_peer_is_the_address_without_port_and_only_a_link_local_one_has_its_zone(
    family: int, address: object, expected: bytes
) -> None:
    assert packed(family, address) == expected


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "::"])
def test_client_that_a_proxy_names_is_the_peer_that_it_would_be_without_a_proxy(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    assert packed_host(host) == packed(family, (host, 4000, 0, 0))
    assert packed_host("") == packed(socket.AF_UNIX, "")


def test_link_local_addresses_of_two_links_are_two_peers() -> None:
    assert packed(socket.AF_INET6, ("fe80::1", 4000, 0, 2)) != packed(socket.AF_INET6, ("fe80::1", 4000, 0, 3))


@pytest.mark.parametrize(
    "host, expected",
    {
        "": b"",
        "192.0.2.1": bytes([192, 0, 2, 1]),
        "::1": bytes(15) + b"\1",
        "::ffff:192.0.2.1": bytes([192, 0, 2, 1]),
    }.items(),
)
def test_client_that_a_proxy_names_is_the_peer_that_it_would_be_itself(host: str, expected: bytes) -> None:
    assert packed_host(host) == expected


def test_peer_that_has_left_before_the_socket_is_asked_is_one_with_all_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), 10, ("127.0.0.2", 0))
        accepted, address = server.accept()
        with accepted:
            assert packed_peer_of(accepted, None) == packed_peer_of(accepted, address) == bytes([127, 0, 0, 2])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            accepted.settimeout(10)
            with pytest.raises(ConnectionResetError):
                accepted.recv(1)
            assert packed_peer_of(accepted, None) == b""
            assert packed_peer_of(accepted, address) == bytes([127, 0, 0, 2])


# ── Over a network ──────────────────────────────────────────────────────────────────────────────────────────────────

ALICE, BOB = "127.0.0.2", "127.0.0.3"
TWICE = 'framing: line\nrules: [{times: 2, scope: PEER, do: [send: "+"]}, {do: [send: "-"]}]'


def compiled(text: str) -> ListenerPlan:
    return replace(only(listener(text)), socket="it")


def hear(client: Client, requests: int) -> bytes:
    return b"".join(client.say(b"x\n").hear(1) for _ in range(requests))


def connections(serving: Serving) -> list[Connection]:
    (of,) = serving.listeners._listeners.values()
    return serving.call(lambda: [each for each in of.connections if isinstance(each, Connection)])


def test_rule_counts_for_each_address_over_its_connections(serving: Serving) -> None:
    serving.commit(compiled(TWICE))
    assert hear(serving.connect(source=ALICE), 1) == b"+"
    assert hear(serving.connect(source=BOB), 3) == b"++-"
    assert hear(serving.connect(source=ALICE), 2) == b"+-"
    assert hear(serving.connect(), 3) == b"++-"


@pytest.mark.parametrize("kind", UNIX_KINDS)
def test_peers_of_a_unix_socket_are_one(kind: str) -> None:
    with serving_as(kind) as serving:
        serving.commit(compiled(TWICE))
        assert [hear(serving.connect(), 1) for _ in range(3)] == [b"+", b"+", b"-"]


def test_fault_counts_for_each_address(serving: Serving) -> None:
    fault = "faults: [{scope: PEER, target: CONNECTION, every: 2, truncate: {bytes: 1}}]"
    serving.commit(compiled(f'framing: line\nrules: [{{do: [send: "ab", close]}}]\n{fault}'))
    heard = {peer: [serving.connect(source=peer).say(b"x\n").hear_all() for _ in range(4)] for peer in (ALICE, BOB)}
    assert heard == {peer: [b"ab", b"a", b"ab", b"a"] for peer in (ALICE, BOB)}


def test_rule_on_limit_counts_for_each_address(serving: Serving) -> None:
    full = '{event: LIMIT, times: 1, scope: PEER, do: [send: "full"]}'
    serving.commit(compiled(f"framing: line\nlimits: {{max_connections: 1}}\nrules: [{full}, {{do: [echo]}}]"))
    assert hear(serving.connect(), 1) == b"x"
    for peer in (ALICE, BOB):
        assert [serving.connect(source=peer).hear_all() for _ in range(3)] == [b"full", b"", b""]


def test_connection_notes_its_peer_when_it_is_accepted_only_where_something_counts_for_peers(
    serving: Serving,
) -> None:
    serving.commit(compiled("framing: line\nrules: [{times: 9, do: [send: '+']}]"))
    assert hear(serving.connect(source=ALICE), 1) == b"+"
    assert [each._packed_peer for each in connections(serving)] == [None]
    serving.commit(compiled("framing: line\nrules: [{event: EOF, times: 9, scope: PEER}, {do: [send: '-']}]"))
    assert hear(serving.connect(source=BOB), 1) == b"-"
    noted = {each._packed_peer for each in connections(serving)}
    assert noted == {None, socket.inet_aton(BOB)}


def test_connection_accepted_before_something_counts_for_peers_is_counted_for_its_own(serving: Serving) -> None:
    serving.commit(compiled("framing: line\nrules: [{do: [send: '.']}]"))
    early = serving.connect(source=ALICE)
    assert hear(early, 1) == b"."
    serving.commit(compiled(TWICE))
    assert hear(serving.connect(source=ALICE), 1) == b"+"
    assert hear(early, 2) == b"+-"
    assert hear(serving.connect(source=BOB), 1) == b"+"


def test_connection_whose_peer_has_left_unnoted_counts_as_one_with_all_such(serving: Serving) -> None:
    class Gone:
        family = socket.AF_INET

        def getpeername(self) -> object:
            raise OSError

    serving.commit(compiled("framing: line\nrules: [{do: [send: '.']}]"))
    hear(serving.connect(), 1)
    (connection,) = connections(serving)
    sock, connection.sock = connection.sock, Gone()  # type: ignore[assignment]
    try:
        assert connection.packed_peer == b""
    finally:
        connection.sock = sock


def test_peers_forgotten_to_make_room_are_counted(serving: Serving) -> None:
    serving.listeners.sequences._peers = PeerTable(serving.memory, BUCKET)
    serving.commit(compiled(TWICE))
    peers = [f"127.0.1.{number}" for number in range(1, BUCKET + 4)]
    for peer in peers:
        client = serving.connect(source=peer)
        assert hear(client, 3) == b"++-"
        client.close()
    assert serving.count(listener_counters.PEERS_EVICTED) == 3
    assert hear(serving.connect(source=peers[-1]), 1) == b"-", "used most recently"
    assert hear(serving.connect(source=peers[0]), 3) == b"++-"
    assert serving.count(listener_counters.PEERS_EVICTED) == 4


def test_clients_behind_a_proxy_count_for_themselves(serving: Serving) -> None:
    serving.commit(compiled(f"proxy_protocol: REQUIRED\n{TWICE}"))

    def behind_proxy(client: str) -> Client:
        return serving.connect().say(f"PROXY TCP4 {client} 192.0.2.200 4000 80\r\n".encode())

    assert hear(behind_proxy("192.0.2.1"), 1) == b"+"
    assert hear(behind_proxy("192.0.2.2"), 3) == b"++-"
    assert hear(behind_proxy("192.0.2.1"), 2) == b"+-"
