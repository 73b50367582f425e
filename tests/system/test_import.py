"""Imported imposters on a real server: the bytes that mountebank would send, on both engines."""

import base64
import json
import socket
from http.client import HTTPConnection
from typing import Any

import pytest

from answerback.importing.mountebank import import_mountebank
from answerback.importing.toxiproxy import import_toxiproxy
from tests.ports import free_port
from tests.system.conftest import Start

# Of each kind of imposter that public files have: a text protocol, a binary one, one that waits and takes turns.
TEXT = {
    "name": "mail",
    "stubs": [
        {"predicates": [{"startsWith": {"data": "helo "}}], "responses": [{"is": {"data": "250 hello\r\n"}}]},
        {
            "predicates": [{"matches": {"data": "^RCPT TO:<(.+)@(.+)>"}}, {"not": {"contains": {"data": "spam"}}}],
            "responses": [
                {
                    "is": {"data": "250 ${A}[1] at ${A}[2] accepted\r\n"},
                    "behaviors": [
                        {
                            "copy": {
                                "from": "data",
                                "into": "${A}",
                                "using": {"method": "regex", "selector": "<(.+)@(.+)>"},
                            }
                        }
                    ],
                }
            ],
        },
        {
            "predicates": [{"or": [{"equals": {"data": "QUIT\r\n"}}, {"equals": {"data": "BYE\r\n"}}]}],
            "responses": [{"is": {"data": "221 1\r\n"}, "repeat": 2}, {"is": {"data": "221 2\r\n"}}],
        },
        {
            "predicates": [{"equals": {"data": "NOOP\r\n"}, "caseSensitive": True}],
            "responses": [{"is": {"data": "250 late\r\n"}, "_behaviors": {"wait": 50}}],
        },
        {"predicates": [{"equals": {"data": "garbage"}}], "responses": [{"fault": "RANDOM_DATA_THEN_CLOSE"}]},
        {"predicates": [{"equals": {"data": "reset"}}], "responses": [{"fault": "CONNECTION_RESET_BY_PEER"}]},
    ],
    "defaultResponse": {"data": "500 what?\r\n"},
}
BINARY = {
    "name": "registers",
    "mode": "binary",
    "stubs": [
        {
            "predicates": [{"startsWith": {"data": base64.b64encode(b"\x01\x03").decode()}}],
            "responses": [{"is": {"data": base64.b64encode(b"\x01\x03\x02\x00\x2a\xff\xfe").decode()}}],
        },
        {
            "predicates": [{"contains": {"data": base64.b64encode(b"\x80\x81").decode()}}],
            "responses": [{"is": {"data": base64.b64encode(b"\x80").decode()}}],
        },
    ],
}
TALK = [
    (b"HELO me\r\n", b"250 hello\r\n"),
    (b"rcpt to:<ann@example.org>\r\n", b"250 ann at example.org accepted\r\n"),
    (b"RCPT TO:<spam@example.org>\r\n", b"500 what?\r\n"),
    (b"quit\r\n", b"221 1\r\n"),
    (b"BYE\r\n", b"221 1\r\n"),
    (b"QUIT\r\n", b"221 2\r\n"),
    (b"QUIT\r\n", b"221 1\r\n"),
    (b"NOOP\r\n", b"250 late\r\n"),
    (b"noop\r\n", b"500 what?\r\n"),
]


def imposters() -> list[dict[str, Any]]:
    return [{"protocol": "tcp", "host": "localhost", "port": free_port()} | each for each in (TEXT, BINARY)]


def said(peer: socket.socket, request: bytes, length: int) -> bytes:
    """The first bytes of the reply to a request."""
    peer.sendall(request)
    received = b""
    while len(received) < length and (more := peer.recv(length - len(received))):
        received += more
    return received


@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_imported_imposters_answer_with_the_bytes_of_mountebank(engine: str, start_server: Start) -> None:
    outcome = import_mountebank(json.dumps({"imposters": imposters()}).encode())
    assert list(outcome.notes) == []
    running = start_server(outcome.text, "--engine", engine, "--workers", "2")
    with running.connect("mail") as peer:
        assert [(request, said(peer, request, len(reply))) for request, reply in TALK] == TALK
    with running.connect("registers") as peer:
        assert said(peer, b"\x01\x03\x00\x00\x00\x01", 7) == b"\x01\x03\x02\x00\x2a\xff\xfe"
        assert said(peer, b"a\x80\x81", 1) == b"\x80"
    assert len(running.ask(b"garbage", "mail")) == 32
    with running.connect("mail") as peer, pytest.raises(ConnectionResetError):
        said(peer, b"reset", 1)


@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_imported_proxies_relay_to_what_they_name(engine: str, start_server: Start) -> None:
    behind = start_server()
    host, port = behind.where()
    proxy = {"name": "a", "listen": "localhost:0", "upstream": f"{host}:{port}"}
    outcome = import_toxiproxy(json.dumps([proxy, proxy | {"name": "b", "enabled": False}]).encode())
    assert list(outcome.notes) == []
    running = start_server(outcome.text, "--engine", engine)
    assert running.ask(b"hello\n", "a") == b"hello"
    with pytest.raises(ConnectionRefusedError):
        running.connect("b")
    toxic = {"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 3}}
    outcome = import_toxiproxy(json.dumps({"cut": proxy | {"toxics": [toxic]}}).encode())
    assert list(outcome.notes) == []
    assert start_server(outcome.text, "--engine", engine).ask(b"hello\n") == b"hel"
    to = {"to": f"tcp://{host}:{port}", "mode": "proxyTransparent"}
    imposter = {"protocol": "tcp", "host": "localhost", "port": free_port(), "stubs": [{"responses": [{"proxy": to}]}]}
    outcome = import_mountebank(json.dumps(imposter).encode())
    assert list(outcome.notes) == []
    assert start_server(outcome.text, "--engine", engine).ask(b"hello\n") == b"hello"


@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_imported_http_imposters_answer_a_client(engine: str, start_server: Start) -> None:
    stub = {
        "predicates": [{"equals": {"method": "POST", "path": "/orders", "query": {"dry": "yes"}}}],
        "responses": [{"is": {"statusCode": 201, "headers": {"X-A": "b"}, "body": {"ok": True}}}],
    }
    imposter = {"protocol": "http", "host": "localhost", "port": free_port(), "stubs": [stub]}
    outcome = import_mountebank(json.dumps(imposter | {"defaultResponse": {"statusCode": 404}}).encode())
    assert list(outcome.notes) == []
    host, port = start_server(outcome.text, "--engine", engine).where()
    for target, expected in (("/Orders?dry=YES", (201, b'{\n    "ok": true\n}', "b")), ("/orders", (404, b"", None))):
        client = HTTPConnection(host, port, timeout=10)
        client.request("POST", target, "x")
        answer = client.getresponse()
        assert (answer.status, answer.read(), answer.getheader("X-A")) == expected
        client.close()
