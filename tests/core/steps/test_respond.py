from types import GeneratorType
from typing import cast

import pytest

from answerback.core.actions import Send
from answerback.core.context import RequestContext
from answerback.core.framing import Http
from answerback.core.steps import END_IN_ORDER
from answerback.core.steps.respond import ONE_SEND, Response, close_if_asked, has_body, respond
from tests.core.plans import template
from tests.core.turns import MadeUp

GET = b"GET / HTTP/1.1\r\nHost: it\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: it\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
OLD_KEEPING = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"


def sent(response: Response, request: bytes = GET) -> bytes:
    step = respond(response)
    assert callable(step)
    result = step(cast(RequestContext, MadeUp(request)))
    if isinstance(result, GeneratorType):
        return b"".join(bytes(each.data) for each in result)
    assert isinstance(result, Send)
    return bytes(result.data)


def test_response_has_the_length_of_its_body() -> None:
    assert sent(Response(200, body=b"hello")) == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    assert sent(Response(404)) == b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def test_headers_come_first_and_as_given() -> None:
    response = Response(302, [(b"Location", b"/x"), (b"location", b"/y"), (b"Empty", b"")])
    expected = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nlocation: /y\r\nEmpty: \r\nContent-Length: 0\r\n\r\n"
    assert sent(response) == expected


def test_unknown_status_has_no_reason() -> None:
    assert sent(Response(599)) == b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "status, reason", [(101, b"Switching Protocols"), (199, b""), (204, b"No Content"), (304, b"Not Modified")]
)
def test_status_without_body_has_no_length(status: int, reason: bytes) -> None:
    assert not has_body(status)
    assert sent(Response(status)) == b"HTTP/1.1 %d %b\r\n\r\n" % (status, reason)
    assert sent(Response(status, body=b"x")) == b"HTTP/1.1 %d %b\r\n\r\n" % (status, reason)


@pytest.mark.parametrize("status", [200, 203, 205, 303, 305, 999])
def test_other_statuses_have_a_body(status: int) -> None:
    assert has_body(status)


@pytest.mark.parametrize("name", [b"Content-Length", b"content-LENGTH", b"Transfer-Encoding"])
def test_length_that_is_given_stays(name: bytes) -> None:
    assert sent(Response(200, [(name, b"9")], b"x")) == b"HTTP/1.1 200 OK\r\n%b: 9\r\n\r\nx" % name


def test_reply_to_head_has_the_length_without_the_body() -> None:
    assert sent(Response(200, body=b"hello"), HEAD) == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    large = Response(200, body=bytes(ONE_SEND + 1))
    assert sent(large, HEAD) == b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (ONE_SEND + 1)


def test_reply_to_connect_has_no_length_if_a_tunnel_follows() -> None:
    request = b"CONNECT h:443 HTTP/1.1\r\n\r\n"
    assert sent(Response(200), request) == b"HTTP/1.1 200 OK\r\n\r\n"
    assert sent(Response(407), request).endswith(b"Content-Length: 0\r\n\r\n")
    assert sent(Response(300), request).endswith(b"Content-Length: 0\r\n\r\n")


CONNECTIONS = [
    (GET, False, b""),
    (GET, True, b"Connection: close\r\n"),
    (CLOSE, False, b"Connection: close\r\n"),
    (OLD, False, b"Connection: close\r\n"),
    (OLD_KEEPING, False, b"Connection: keep-alive\r\n"),
    (OLD_KEEPING, True, b"Connection: close\r\n"),
    (b"", False, b""),
    (b"", True, b"Connection: close\r\n"),
]


@pytest.mark.parametrize("request_, closes, field", CONNECTIONS)
def test_response_says_whether_the_connection_closes(request_: bytes, closes: bool, field: bytes) -> None:
    expected = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + field + b"\r\n"
    assert sent(Response(200, closes=closes), request_) == expected


def test_connection_that_is_given_stays() -> None:
    response = Response(200, [(b"connection", b"Upgrade")], closes=True)
    assert sent(response, CLOSE) == b"HTTP/1.1 200 OK\r\nconnection: Upgrade\r\nContent-Length: 0\r\n\r\n"


def test_interim_response_says_nothing_of_the_connection() -> None:
    assert sent(Response(103, closes=True), CLOSE) == b"HTTP/1.1 103 Early Hints\r\n\r\n"


@pytest.mark.parametrize(
    "request_, closes", [(GET, False), (CLOSE, True), (OLD, True), (OLD_KEEPING, False), (b"", False)]
)
def test_script_closes_at_its_end_if_the_client_asked_for_it(request_: bytes, closes: bool) -> None:
    assert close_if_asked(cast(RequestContext, MadeUp(request_))) is (END_IN_ORDER if closes else None)


def test_templates_are_rendered_in_headers_and_body() -> None:
    response = Response(200, [(b"X", template("<${state}>")), (b"Y", b"y")], template("${request}"))
    step = respond(response)
    assert callable(step)
    result = step(cast(RequestContext, MadeUp(GET, state="a\r\nB: \0c")))
    assert isinstance(result, Send)
    head = b"HTTP/1.1 200 OK\r\nX: <a  B:  c>\r\nY: y\r\nContent-Length: %d\r\n\r\n" % len(GET)
    assert result.data == head + GET


@pytest.mark.parametrize("size", [ONE_SEND, ONE_SEND + 1])
def test_large_body_is_not_copied_behind_its_head(size: int) -> None:
    body = memoryview(bytes(size))
    step = respond(Response(200, body=body))
    assert callable(step)
    result = step(cast(RequestContext, MadeUp(GET)))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    if size == ONE_SEND:
        assert result == Send(head + bytes(size))
    else:
        assert isinstance(result, GeneratorType)
        assert [each.data for each in result] == [head, body]


def test_response_to_a_body_fits_its_head() -> None:
    stream = b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\na"
    (_, body), _ = Http(head_first=True).new_framer().split(stream, 0)
    assert sent(Response(200), body) == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
