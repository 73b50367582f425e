"""STARTTLS with the clients of Python's standard library, and PostgreSQL's SSLRequest, on both engines."""

import imaplib
import poplib
import smtplib
import socket
from dataclasses import replace

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.framing import Fixed, Read
from answerback.core.plan import ListenerPlan, Rule
from answerback.core.selection import Rules
from tests.core.plans import plan
from tests.core.plans import rule as core_rule
from tests.net.conftest import Serving
from tests.tls import certificates

SPARE = 5000  # a cell that no listener's block reaches, for matches of rules


def rule(*taken: steps.Step, when: bytes | None = None) -> Rule:
    return core_rule(*taken, when=when, place=SPARE)


def on_step(inside: ListenerPlan, greeting: bytes = b"") -> ListenerPlan:
    greets = Rules([rule(steps.send(greeting))] if greeting else [])
    return replace(inside, tls=certificates.server(at_once=False), on_connect=greets)


def port(serving: Serving) -> int:
    return int(serving.addresses["it"][1])


def test_smtplib_speaks_before_and_behind_starttls(serving: Serving) -> None:
    smtp = plan(
        rule(steps.send(b"220 go ahead\r\n"), steps.start_tls(), when=b"STARTTLS"),
        rule(steps.send(b"221 bye\r\n"), steps.close(), when=b"QUIT"),
        rule(steps.send(b"250-hello\r\n250 STARTTLS\r\n")),
    )
    serving.commit(on_step(smtp, b"220 ready\r\n"))
    with smtplib.SMTP("127.0.0.1", port(serving), "me", 10) as client:
        client._host = "localhost"  # type: ignore[attr-defined]  # the name in the certificate
        assert client.ehlo()[0] == 250
        assert client.starttls(context=certificates.client())[0] == 220
        assert client.ehlo()[0] == 250
    serving.settle()
    assert serving.closed(CloseReason.SERVER_CLOSE) == 1


def test_imaplib_logs_in_behind_starttls(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def ok(tag: str, name: str) -> steps.Step:
        return steps.send(f"{tag} OK {name} done\r\n".encode())

    imap = plan(
        rule(steps.send(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n"), ok("AAAA0", "CAPABILITY"), when=b"AAAA0 CAPABILITY"),
        rule(ok("AAAA1", "STARTTLS"), steps.start_tls(), when=b"AAAA1 STARTTLS"),
        rule(steps.send(b"* CAPABILITY IMAP4rev1\r\n"), ok("AAAA2", "CAPABILITY"), when=b"AAAA2 CAPABILITY"),
        rule(ok("AAAA3", "LOGIN"), when=b'AAAA3 LOGIN me "secret"'),
    )
    serving.commit(on_step(imap, b"* OK ready\r\n"))
    monkeypatch.setattr(imaplib, "Int2AP", lambda _number: b"AAAA")  # tags that rules can name
    client = imaplib.IMAP4("127.0.0.1", port(serving), 10)
    client.host = "localhost"
    assert client.starttls(certificates.client())[0] == "OK"
    assert client.login("me", "secret")[0] == "OK"
    client.shutdown()


def test_poplib_speaks_behind_stls(serving: Serving) -> None:
    pop = plan(
        rule(steps.send(b"+OK\r\nSTLS\r\n.\r\n"), when=b"CAPA"),
        rule(steps.send(b"+OK begin\r\n"), steps.start_tls(), when=b"STLS"),
        rule(steps.send(b"+OK 2 320\r\n"), when=b"STAT"),
    )
    serving.commit(on_step(pop, b"+OK ready\r\n"))
    client = poplib.POP3("127.0.0.1", port(serving), 10)
    client.host = "localhost"
    client.stls(certificates.client())
    assert client.stat() == (2, 320)
    client.close()


def test_ssl_request_of_postgresql_is_answered_in_the_clear_with_one_byte(serving: Serving) -> None:
    request = bytes.fromhex("00000008 04d2162f")
    postgres = plan(
        rule(steps.send(b"S"), steps.start_tls(), steps.set_framing(Read(1024)), when=request),
        rule(steps.echo()),
        framing=Fixed(8),
    )
    serving.commit(on_step(postgres))
    with socket.create_connection(("127.0.0.1", port(serving)), 10) as raw:
        raw.sendall(request)
        assert raw.recv(1) == b"S"
        with certificates.client().wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(b"startup")
            assert client.recv(100) == b"startup"
