"""The step `start_tls`: in the clear before it, encrypted behind it."""

import ssl
from dataclasses import replace
from typing import Any

import pytest

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose
from answerback.core.faults import Bandwidth, Fault
from answerback.core.plan import ListenerPlan
from answerback.core.selection import Rules
from answerback.core.tls import Handshakes
from tests.core.plans import plan, rule
from tests.core.playbook import connected, drain
from tests.tls import certificates
from tests.tls.playing import TLS12, TLS13, Client

MAIL = replace(
    plan(
        rule(steps.send(b"220 go ahead\n"), steps.start_tls(), when=b"STARTTLS"),
        rule(steps.send(b"a"), steps.start_tls(), steps.send(b"welcome\n"), when=b"greet"),
        rule(steps.echo(), steps.send(b"\n")),
    ),
    on_connect=Rules([rule(steps.send(b"220 hello\n"))]),
)


def open_in_the_clear(inside: ListenerPlan = MAIL, **given: Any) -> Client:
    client = Client(inside, tls=certificates.server(at_once=False), **given)
    client.book >> connected
    client.take()
    assert client.incoming.read() == b"220 hello\n"
    return client


def clear(client: Client, data: bytes) -> bytes:
    """Send something in the clear; what is answered, which the client's TLS does not see."""
    client.raw(data)
    return client.incoming.read()


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("cuts", [None, [1], [7]])
def test_what_comes_before_is_in_the_clear_and_what_follows_is_not(
    version: ssl.TLSVersion, cuts: list[int] | None
) -> None:
    client = open_in_the_clear(context=certificates.client(version=version), cuts=cuts)
    assert clear(client, b"EHLO me\n") == b"EHLO me\n"
    assert clear(client, b"STARTTLS\n") == b"220 go ahead\n"
    client.shake().say(b"secret\n")
    assert client.hear() == b"secret\n"
    assert not any(b"secret" in written for written in client.writes)
    assert client.finish().reason is CloseReason.PEER_EOF
    assert len(client.book.account.handshakes) == 1


def test_script_continues_behind_the_handshake() -> None:
    client = open_in_the_clear()
    assert clear(client, b"greet\n") == b"a"
    assert client.shake().hear() == b"welcome\n"
    assert client.say(b"b\n").hear() == b"welcome\nb\n"
    assert len(client.book.account.durations) == 2


def test_pipelined_client_hello_works() -> None:
    client = open_in_the_clear()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    answer = clear(client, b"STARTTLS\n" + client.outgoing.read())
    assert answer.startswith(b"220 go ahead\n")
    client.incoming.write(answer.removeprefix(b"220 go ahead\n"))
    assert client.shake().say(b"a\n").hear() == b"a\n"


def test_injected_plain_text_fails_the_handshake() -> None:
    client = open_in_the_clear()
    assert clear(client, b"STARTTLS\nMAIL FROM:<evil>\n") == b"220 go ahead\n"
    assert client.ends == [HalfClose()]
    assert client.fin().reason is CloseReason.NOT_TLS
    assert client.book.account.rules == [0]
    assert client.book.account.handshakes == [Handshakes.FAILED]


def test_plain_text_that_a_slow_reader_holds_is_not_a_request_behind_the_step() -> None:
    slow = Fault("slow", 7, Bandwidth(90), sequence_cell=100, read_rate=90)
    client = open_in_the_clear(replace(MAIL, faults_from_peer=(slow,)))
    client.raw(b"STARTTLS\nMAIL FROM:<evil>\n").wait(5)
    assert client.fin().reason is CloseReason.NOT_TLS
    assert client.book.account.rules == [0]


def test_second_start_tls_closes_the_connection() -> None:
    client = open_in_the_clear()
    clear(client, b"STARTTLS\n")
    client.shake().say(b"STARTTLS\n")
    assert (client.hear(), client.closed_in_order) == (b"220 go ahead\n", True)
    assert client.finish().reason is CloseReason.REPLY_FAILED


def test_handshake_is_timed_from_the_step() -> None:
    client = open_in_the_clear()
    client.wait(100)
    clear(client, b"STARTTLS\n")
    assert client.wait(9.9).ends == []
    assert client.wait(0.1).fin().reason is CloseReason.TLS_HANDSHAKE


def test_bytes_of_a_handshake_are_not_a_request_that_takes_long() -> None:
    client = open_in_the_clear()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    answer = clear(client, b"STARTTLS\n" + client.outgoing.read())
    client.incoming.write(answer.removeprefix(b"220 go ahead\n"))
    assert client.shake().wait(100).ends == []


def test_connection_that_stays_in_the_clear_ends_as_without_tls() -> None:
    client = open_in_the_clear()
    assert clear(client, b"a\n") == b"a\n"
    assert client.fin().ends == [Close(CloseReason.PEER_EOF)]
    assert client.book.account.handshakes == []


def test_drain_waits_for_a_handshake_that_a_step_has_begun() -> None:
    client = open_in_the_clear()
    assert clear(client, b"greet\n") == b"a"
    client.book >> drain
    assert client.take().ends == []
    assert client.shake().hear() == b"welcome\n"
    assert client.finish().reason is CloseReason.DRAIN


def test_step_on_a_connection_older_than_the_tls_of_its_listener_closes_it() -> None:
    client = open_in_the_clear()
    client.somewhere.tls = None
    assert clear(client, b"STARTTLS\n") == b"220 go ahead\n"
    assert client.fin().reason is CloseReason.REPLY_FAILED
