"""HTTP imposters: what a request must be, and the response, with the default for what it does not say."""

import json
from typing import Any

import pytest

from answerback.explain.events import Closed
from tests.explain.explaining import only, sent
from tests.importing.mountebank.importing import complete, conversation, imported, notes

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


def http(*stubs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"protocol": "http", "port": 8080, "stubs": list(stubs), **fields}


def request(method: str = "GET", target: str = "/", body: str = "", headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: a", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", body]).encode()


def matched(predicate: dict[str, Any], *requests: bytes) -> list[bool]:
    """Whether a stub with this predicate answers each request, on connections that stay open."""
    headers = {"Connection": "keep-alive"}
    stub = {"predicates": [predicate], "responses": [{"is": {"statusCode": 201}}]}
    outcome = complete(http(stub, defaultResponse={"headers": headers}))
    return [data.startswith(b"HTTP/1.1 201 ") for _, data in sent(conversation(outcome, requests))]


def response(given: dict[str, Any], **fields: Any) -> tuple[list[str], bytes, bool]:
    """The head of a response, its body, and whether the connection is closed behind it."""
    transcript = conversation(complete(http({"responses": [{"is": given}]}, **fields)), [GET % b"/"])
    head, _, body = b"".join(data for _, data in sent(transcript)).partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), body, bool(only(transcript, Closed))


@pytest.mark.parametrize(
    "predicate, where, elsewhere",
    [
        ({"equals": {"method": "post", "path": "/A"}}, [request("POST", "/a?x=1")], [request("GET", "/a")]),
        ({"equals": {"path": "/A"}, "caseSensitive": True}, [request(target="/A")], [request(target="/a")]),
        ({"startsWith": {"path": "/or"}}, [request(target="/Orders/1")], [request(target="/x/or")]),
        ({"endsWith": {"path": "/1"}}, [request(target="/orders/1")], [request(target="/orders/1/x")]),
        ({"contains": {"body": "Name"}}, [request("POST", body='{"name": 1}')], [request("POST", body="x")]),
        ({"matches": {"path": r"^/orders/\d+$"}}, [request(target="/ORDERS/12")], [request(target="/orders/x")]),
        ({"exists": {"body": True}}, [request("POST", body="x")], [request()]),
        ({"exists": {"headers": {"Accept": False}}}, [request()], [request(headers=(("accept", "x"),))]),
        ({"equals": {"headers": {"accept": "TEXT/html"}}}, [request(headers=(("Accept", "text/html"),))], [request()]),
        ({"equals": {"query": {"a": "B c"}}}, [request(target="/?x=1&A=b+C"), request(target="/?a=b%20c&y")], [
            request(target="/?aa=b+c"), request(target="/?a=b+cd"), request(target="/a=b+c"),
        ]),
        ({"contains": {"query": {"q": "ä/"}}}, [request(target="/?q=x%C3%84%2f1")], [request(target="/?q=x")]),
        ({"startsWith": {"query": {"q": "a"}}}, [request(target="/?q=ab")], [request(target="/?q=ba")]),
        ({"endsWith": {"query": {"q": "a"}}}, [request(target="/?q=ba&r")], [request(target="/?q=ab")]),
        ({"exists": {"query": {"q": True, "r": False}}}, [request(target="/?q=1")], [
            request(target="/?q=1&r=1"), request(target="/?q="), request(),
        ]),
        ({"equals": {"query": {"A": "B"}}, "caseSensitive": True}, [request(target="/?A=B")], [
            request(target="/?a=B"), request(target="/?A=b"),
        ]),
        ({"deepEquals": {"query": {}}}, [request()], [request(target="/?a")]),
        ({"not": {"equals": {"method": "GET"}}}, [request("PUT")], [request()]),
        ({"equals": {"ip": "192.0.2.7"}}, [request()], []),
        ({"equals": {"body": ""}}, [request()], [request("POST", body="x")]),
        ({"contains": {"body": ""}}, [request()], []),
    ],
)  # fmt: skip
def test_predicate_on_a_field_of_a_request_is_an_expression(
    predicate: dict[str, Any], where: list[bytes], elsewhere: list[bytes]
) -> None:
    assert matched(predicate, *where) == [True] * len(where)
    assert matched(predicate, *elsewhere) == [False] * len(elsewhere) if elsewhere else True


def test_response_without_fields_is_that_of_mountebank() -> None:
    head, body, closed = response({})
    assert (head[0], "Connection: close" in head, "Content-Length: 0" in head) == ("HTTP/1.1 200 OK", True, True)
    assert (body, closed) == (b"", True)


def test_request_without_a_stub_gets_the_default_response() -> None:
    outcome = complete(http(defaultResponse={"statusCode": 404, "body": "none"}))
    ((_, data),) = sent(conversation(outcome, [GET % b"/"]))
    assert data.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert data.endswith(b"\r\n\r\nnone")


def test_fields_that_a_response_lacks_are_those_of_the_default_response() -> None:
    default = {"statusCode": 400, "headers": {"X-A": "1"}, "body": "default"}
    head, body, _ = response({"headers": {"X-B": "2"}, "body": "", "statusCode": 0}, defaultResponse=default)
    assert (head[0], body) == ("HTTP/1.1 400 Bad Request", b"default")
    assert ("X-B: 2" in head, "X-A: 1" in head) == (True, False)


def test_headers_of_a_response_are_sent_and_the_length_is_that_of_the_body() -> None:
    headers = {"Set-Cookie": ["a=1", "b=2"], "X-N": 5, "Content-Length": 999, "Transfer-Encoding": "chunked"}
    head, body, _ = response({"headers": headers, "body": "abc"})
    assert [line for line in head if line.startswith(("Set", "X-"))] == ["Set-Cookie: a=1", "Set-Cookie: b=2", "X-N: 5"]
    assert [line for line in head if "ength" in line or "Trans" in line] == ["Content-Length: 3"]
    assert body == b"abc"


@pytest.mark.parametrize("value, closed", [("keep-alive", False), ("Close", True)])
def test_connection_stays_open_if_the_response_says_so(value: str, closed: bool) -> None:
    head, _, ended = response({"headers": {"connection": value}})
    assert (f"connection: {value}" in head, "Connection: close" in head, ended) == (True, False, closed)


def test_body_that_is_json_is_written_as_mountebank_writes_it() -> None:
    body = {"a": [1, 2.5, None, True, {}, []], "b": {"c": "é"}, "n": 1.0}
    assert response({"body": body})[1].decode() == json.dumps(body | {"n": 1}, indent=4, ensure_ascii=False)
    assert response({"body": 5})[1] == b"5"
    assert response({"body": "AP8=", "_mode": "binary"})[1] == b"\x00\xff"


def test_response_waits_takes_turns_and_fails_as_over_tcp() -> None:
    responses = [
        {"is": {"statusCode": "202"}, "behaviors": [{"wait": 100}]},
        {"fault": "CONNECTION_RESET_BY_PEER"},
    ]
    outcome = complete(http({"responses": responses}))
    transcript = conversation(outcome, [GET % b"/"])
    assert [(at, data[:13]) for at, data in sent(transcript)] == [(0.1, b"HTTP/1.1 202 ")]
    assert len(outcome.config.listeners[0].rules[0].replies.of) == 2


NOTED = [
    ({"predicates": [{"equals": {"form": {"a": "b"}}}]}, "predicates[0].equals.form", "no equivalent for 'form'"),
    ({"predicates": [{"deepEquals": {"headers": {}}}]}, "predicates[0].deepEquals.headers", "no equivalent: write"),
    ({"predicates": [{"deepEquals": {"query": {"a": "b"}}}]}, "predicates[0].deepEquals.query", "no equivalent: write"),
    ({"predicates": [{"matches": {"query": {"a": "b"}}}]}, "predicates[0].matches.query.a", "no equivalent: write"),
    ({"predicates": [{"equals": {"query": {"a": ""}}}]}, "predicates[0].equals.query.a", "no equivalent: write"),
    ({"predicates": [{"equals": {"body": {"a": 1}}}]}, "predicates[0].equals.body", "the request as JSON"),
    ({"predicates": [{"equals": {"path": "/é"}}]}, "predicates[0].equals.path", "no equivalent for letters"),
    ({"predicates": [{"matches": {"path": "(?=a)"}}]}, "predicates[0].matches.path", "RE2 has no look-around"),
    ({"predicates": [{"equals": {"path": "/"}, "except": "x"}]}, "predicates[0].except", "no equivalent for HTTP"),
    ({"predicates": [{"equals": {"headers": {"a b": "x"}}}]}, "predicates[0].equals.headers['a b']", "'a b' is not"),
]  # fmt: skip


@pytest.mark.parametrize("stub, path, message", NOTED)
def test_predicate_on_http_without_an_equivalent_leaves_out_its_stub(
    stub: dict[str, Any], path: str, message: str
) -> None:
    outcome = imported(http({"responses": [{"is": {}}]} | stub))
    (note,) = notes(outcome)
    assert note.startswith(f"imposters[0].stubs[0].{path}: the stub is left out: {message}")
    assert [rule.name for rule in outcome.config.listeners[0].rules] == ["default"]


def test_parts_of_an_http_response_without_an_equivalent_are_noted() -> None:
    copy = {"from": "path", "into": "${X}", "using": {"method": "regex", "selector": "a"}}
    given = {"is": {"body": "${X}", "data": "x"}, "behaviors": [{"copy": copy}]}
    outcome = imported(http({"responses": [given]}, defaultResponse={"statusCode": "often", "data": 5}))
    assert [note.partition(":")[0] for note in notes(outcome)] == [
        "imposters[0].stubs[0].responses[0].is.data",
        "imposters[0].stubs[0].responses[0].behaviors[0].copy",
        "imposters[0].defaultResponse.statusCode",
        "imposters[0].defaultResponse.data",
    ]
    assert outcome.config.listeners[0].rules[0].do == [], "nothing is sent"
