"""mountebank itself beside the configuration that is imported from its file: the same bytes for the same requests."""

import base64
import json
import shutil
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from answerback.importing.mountebank import import_mountebank
from tests.ports import free_port
from tests.programs.conftest import RunningServer, running, serving
from tests.programs.real_servers import listening
from tests.waiting import eventually

pytestmark = pytest.mark.programs

MB = Path(__file__).parent / "mountebank" / "node_modules" / ".bin" / "mb"
SECONDS = 20.0
FIELDS = {"connection", "content-type", "set-cookie", "x-n"}

REQUESTS = [
    b"PING", b"ping\r\n", b"PING\r\n", b"hello world", b"Hello, World! 42", b"a=1;b=22", b"x", b"  x", b"!", b"PING!",
    "\u00e9t\u00e9".encode(), "\u00c9T\u00c9".encode(), b"the cat", b"THE The cat", b"1 2 3", b"a\x00b",
    b"tab\tnew\nline\v",
]  # fmt: skip
PREDICATES: list[dict[str, Any]] = [
    {"equals": {"data": "PING"}},
    {"equals": {"data": "PING"}, "caseSensitive": True},
    {"equals": {"DATA": "ping\r\n"}},
    {"equals": {"data": "\u00e9t\u00e9"}},
    {"deepEquals": {"data": "x"}},
    {"contains": {"data": "WORLD"}},
    {"contains": {"data": "\u00c9"}},
    {"contains": {"data": 2}},
    {"startsWith": {"data": "he"}},
    {"endsWith": {"data": "22"}},
    {"matches": {"data": "^p.ng$"}},
    {"matches": {"data": "^P.NG.*$"}, "caseSensitive": True},
    {"matches": {"data": r"(\w+)=(\d+);"}},
    {"matches": {"data": r"^\s+x"}},
    {"matches": {"data": r"\s$"}},
    {"matches": {"data": "^[^a-g]+$"}},
    {"matches": {"data": "^\u00c9"}},
    {"exists": {"data": True}},
    {"exists": {"data": False}},
    {"not": {"contains": {"data": "i"}}},
    {"or": [{"equals": {"data": "x"}}, {"and": [{"startsWith": {"data": "h"}}, {"endsWith": {"data": "d"}}]}]},
    {"and": []},
    {"or": []},
    {"equals": {"data": "ping"}, "except": "!$"},
    {"equals": {"data": "cat"}, "except": "the "},
    {"equals": {"data": "the cat"}, "except": "the "},
    {"equals": {"data": "cat"}, "except": "^The ", "caseSensitive": True},
    {"equals": {"data": "THE The cat"}, "except": "The ", "caseSensitive": True},
    {"contains": {"data": "ab"}, "except": r"[=;\d]"},
    {"startsWith": {"data": "a=b"}, "except": r"[1;]+"},
    {"endsWith": {"data": "b="}, "except": r"\d"},
    {"equals": {"data": "\u00e9T\u00e9"}, "except": "[t]"},
    {"matches": {"data": "^PING$"}, "except": "!"},
    {"matches": {"data": "^ *cat"}, "except": "The"},
    {"exists": {"data": True}, "except": r"[!x\s]"},
    {"exists": {"data": False}, "except": "!"},
    {"equals": {"data": ""}, "except": "^!"},
]
COPY = {"copy": {"from": "data", "into": "${T}", "using": {"method": "regex", "selector": r"(\w)\w+"}}}
RESPONSES: list[dict[str, Any]] = [
    {"is": {"data": "one"}, "repeat": 2},
    {"is": {"data": "two ${T} ${T}[1] ${T}[9]"}, "behaviors": [COPY]},
    {"is": {}},
    {"is": {"data": "late"}, "_behaviors": {"wait": 30}},
]

# Requests over HTTP: method, target, body, headers.
HTTP_REQUESTS: list[tuple[str, str, str, dict[str, str]]] = [
    ("GET", "/", "", {}),
    ("GET", "/Orders/12?a=B+c&x=1", "", {"Accept": "text/html"}),
    ("POST", "/orders", '{"name": "ann"}', {"Content-Type": "application/json", "X-Tag": "One"}),
    ("PUT", "/orders/x?q=%C3%84&a", "plain", {}),
    ("DELETE", "/?a=b%20C", "", {"x-tag": "two"}),
]
HTTP_PREDICATES: list[dict[str, Any]] = [
    {"equals": {"method": "get", "path": "/"}},
    {"equals": {"path": "/orders"}, "caseSensitive": True},
    {"startsWith": {"path": "/ORDERS/"}},
    {"matches": {"path": r"^/orders/\d+$"}},
    {"contains": {"body": "NAME"}},
    {"exists": {"body": True}},
    {"equals": {"headers": {"x-TAG": "one"}}},
    {"exists": {"headers": {"X-Tag": True, "Accept": False}}},
    {"equals": {"query": {"a": "b c"}}},
    {"contains": {"query": {"q": "\u00e4"}}},
    {"exists": {"query": {"a": True}}},
    {"deepEquals": {"query": {}}},
    {"not": {"or": [{"equals": {"method": "POST"}}, {"endsWith": {"path": "12"}}]}},
]
HTTP_RESPONSE = {
    "statusCode": "201",
    "headers": {"Content-Type": "application/json", "Set-Cookie": ["a=1", "b=2"], "X-N": 5},
    "body": {"a": [1, 2.5, None, True, {}, []], "b": "\u00e9"},
}


def http_imposters() -> list[dict[str, Any]]:
    """One for each predicate; without ports."""
    default = {"statusCode": 404, "body": "none", "headers": {"Connection": "Keep-Alive"}}
    return [
        {"protocol": "http", "stubs": [{"predicates": [each], "responses": [{"is": HTTP_RESPONSE}]}]}
        | ({"defaultResponse": default} if index % 2 else {})
        for index, each in enumerate(HTTP_PREDICATES)
    ]


def imposters() -> list[dict[str, Any]]:
    """One for each predicate, one that takes turns, one in binary mode; without ports."""
    yes, no = {"is": {"data": "yes"}}, {"data": "no"}
    found = [{"stubs": [{"predicates": [each], "responses": [yes]}], "defaultResponse": no} for each in PREDICATES]
    found.append({"stubs": [{"responses": RESPONSES}], "defaultResponse": no})
    binary = {name: base64.b64encode(data).decode() for name, data in (("a", b"PI"), ("yes", b"yes"), ("no", b"\xff"))}
    stub = {"predicates": [{"startsWith": {"data": binary["a"]}}], "responses": [{"is": {"data": binary["yes"]}}]}
    found.append({"mode": "binary", "stubs": [stub], "defaultResponse": {"data": binary["no"]}})
    return found


def with_ports(name: str) -> list[dict[str, Any]]:
    """The imposters, each with a port of its own."""
    return [
        {"protocol": "tcp", "host": "127.0.0.1", "port": free_port(), "name": f"{name}-{index}"} | each
        for index, each in enumerate(imposters() + http_imposters())
    ]


@pytest.fixture
def mountebank(tmp_path: Path) -> Iterator[list[dict[str, Any]]]:
    """The imposters that a mountebank serves."""
    node = shutil.which("node")
    if node is None or not MB.exists():
        pytest.skip("needs mountebank: npm ci --prefix tests/programs/mountebank")
    found = with_ports("theirs")
    file = tmp_path / "imposters.json"
    file.write_text(json.dumps({"imposters": found}))
    api = free_port()
    command = [node, str(MB), "--port", str(api), "--host", "127.0.0.1", "--configfile", str(file), "--nologfile"]
    command += ["--pidfile", str(tmp_path / "mb.pid"), "--loglevel", "error"]
    with running(command, tmp_path / "mountebank.log"):
        eventually(lambda: all(listening(each["port"]) for each in found), what="mountebank serves its imposters")
        yield found


def replies(port: int) -> list[bytes]:
    """The reply to each request, each on a connection of its own; none of them is silent."""
    found = []
    for request in REQUESTS:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as peer:
            peer.sendall(request)
            found.append(peer.recv(1000))
    return found


def responses(port: int) -> list[Any]:
    """What the client is given in response to each request: status, body, and the header fields that matter."""
    found = []
    for method, target, body, headers in HTTP_REQUESTS:
        client = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        client.request(method, target, body or None, headers)
        answer = client.getresponse()
        fields = [(name, value) for name, value in answer.getheaders() if name.lower() in FIELDS]
        found.append((answer.status, answer.read(), sorted(fields)))
        client.close()
    return found


def test_imported_configuration_answers_as_mountebank_itself(mountebank: list[dict[str, Any]], tmp_path: Path) -> None:
    ours = with_ports("ours")
    outcome = import_mountebank(json.dumps({"imposters": ours}).encode())
    assert list(outcome.notes) == []
    server = RunningServer(ours[0]["port"], free_port(), free_port())
    with serving(server, outcome.text, tmp_path):
        for one, other in zip(ours, mountebank, strict=True):
            play = responses if one["protocol"] == "http" else replies
            said, expected = play(one["port"]), play(other["port"])
            assert list(enumerate(said)) == list(enumerate(expected)), one["stubs"]
