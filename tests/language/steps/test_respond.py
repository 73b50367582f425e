import pytest

from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.language.check import check
from tests.core.playbook import Playbook, eof
from tests.language.compiling import only
from tests.language.configurations import listener, problems_of, said

GET, CLOSE = b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_CLOSING = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
RESPOND = "respond: {status: 200, body: ok}"


def book(steps: str) -> Playbook:
    return Playbook(only(listener(framing="http", rules=f"[{{do: [{steps}]}}]")))


def test_connection_stays_open_unless_the_client_asks_to_close() -> None:
    asked = book(RESPOND) >> GET << Send(OK) >> CLOSE << Send(OK_CLOSING) << HalfClose()
    asked >> eof << Close(CloseReason.SERVER_CLOSE)


def test_response_of_a_script_that_closes_says_so() -> None:
    book(f"{RESPOND}, close") >> GET << Send(OK_CLOSING) << HalfClose() >> eof << Close(CloseReason.SERVER_CLOSE)
    book(f"{RESPOND}, half_close") >> GET << Send(OK_CLOSING) << HalfClose() >> eof << Close(CloseReason.PEER_EOF)


def test_response_behind_the_close_is_not_sent() -> None:
    closing = book(f"{RESPOND}, {RESPOND}, close, {RESPOND}") >> GET << Send(OK_CLOSING * 2) << HalfClose()
    closing >> eof << Close(CloseReason.SERVER_CLOSE)


def test_steps_behind_the_response_are_taken_before_the_close() -> None:
    asked = book(f"{RESPOND}, send: more") >> CLOSE << Send(OK_CLOSING + b"more") << HalfClose()
    asked >> eof << Close(CloseReason.SERVER_CLOSE)


def test_connection_stays_open_behind_an_interim_response() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    (book("respond: 103") >> CLOSE << Send(interim)).silent() >> GET << Send(interim)


def test_status_alone_is_a_response() -> None:
    book("respond: 404") >> GET << Send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def test_event_without_request_is_responded_to() -> None:
    plan = only(listener(framing="http", rules="[{event: EOF, do: [respond: 408]}]"))
    (
        Playbook(plan)
        >> eof
        << Send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        << Close(CloseReason.PEER_EOF)
    )


def with_headers(count: int) -> str:
    return f"{{status: 200, headers: [{', '.join(['{name: a, value: b}'] * count)}]}}"


PROBLEMS = {
    "{}": ".status: missing: it has no default",
    "{status: 99}": ".status: must be 100 to 999, not 99",
    "{status: 0}": ".status: must be 100 to 999, not 0",
    "{status: 1000}": ".status: must be 100 to 999, not 1000",
    "{status: 204, body: x}": ".body: a response with the status 204 has no body",
    "{status: 103, body: x}": ".body: a response with the status 103 has no body",
    "{status: 200, body: {}}": ".body: empty: set one of text, hex, base64, file, template",
    "{status: 200, headers: [{value: x}]}": ".headers[0].name: missing: it has no default",
    "{status: 200, headers: [{name: x}]}": ".headers[0].value: missing: it has no default",
    "{status: 200, headers: [{name: 'a b', value: x}]}": (
        ".headers[0].name: letters, digits and !#$%&'*+-.^_`|~, at most 128 characters, not 'a b'"
    ),
    "{status: 200, headers: [{name: a, value: b}, {name: 'é', value: x}]}": (
        ".headers[1].name: letters, digits and !#$%&'*+-.^_`|~, at most 128 characters, not 'é'"
    ),
    '{status: 200, headers: [{name: a, value: "b\\r\\nc: d"}]}': (
        r'.headers[0].value: must not contain CR, LF or NUL, but it is "b\r\nc: d"'
    ),
    "{status: 200, headers: [{name: a, value: {hex: 00}}]}": (
        r'.headers[0].value: must not contain CR, LF or NUL, but it is "\x00"'
    ),
    with_headers(101): (".headers: 101 headers; at most 100 are possible"),
}


@pytest.mark.parametrize("given, problem", PROBLEMS.items())
def test_invalid_response_is_rejected(given: str, problem: str) -> None:
    found = said(check(listener(framing="http", rules=f"[{{do: [respond: {given}]}}]"), {}))
    assert found == [f"listeners[0].rules[0].do[0].respond{problem}"]


@pytest.mark.parametrize(
    "given",
    [
        "100",
        "{status: 999, body: x}",
        "{status: 200, headers: [{name: \"!#$%&'*+-.^_`|~0aZ\", value: ''}]}",
        with_headers(100),
    ],
)
def test_valid_response_is_accepted(given: str) -> None:
    assert check(listener(framing="http", rules=f"[{{do: [respond: {given}]}}]"), {}) == []


NOT_HTTP = (
    "answers an HTTP request, but neither the listener's framing nor a `framing` step of its rules is http: write "
    "framing: http at the listener, or use send"
)


@pytest.mark.parametrize("event", ["REQUEST", "CONNECT", "EOF"])
@pytest.mark.parametrize("framing", ["read", "line", "resp"])
def test_response_without_an_http_framing_is_rejected(framing: str, event: str) -> None:
    found = said(check(listener(framing=framing, rules=f"[{{event: {event}, do: [echo, respond: 404]}}]"), {}))
    assert found == [f"listeners[0].rules[0].do[1].respond: {NOT_HTTP}"]


def test_framing_of_a_received_frame_does_not_make_the_request_an_http_one() -> None:
    steps = "receive: {framing: http, expect: {expr: \"http.path == '/'\"}}, respond: 404"
    found = said(check(listener(framing="line", rules=f"[{{do: [{steps}]}}]"), {}))
    assert found == [f"listeners[0].rules[0].do[1].respond: {NOT_HTTP}"]


def test_response_is_accepted_where_a_step_of_another_rule_changes_the_framing_to_http() -> None:
    rules = "[{in_states: [http], do: [respond: 404]}, {replies: {of: [[framing: {http: {}}, state: http]]}}]"
    assert check(listener(framing="line", rules=rules), {}) == []
    assert said(check(listener(framing="line", rules=rules.replace("http: {}", "resp: {}")), {})) != []


def test_word_alone_is_no_response() -> None:
    (problem,) = problems_of("listeners: [{name: it, address: '127.0.0.1:0', rules: [{do: [respond]}]}]")
    assert "respond needs a value" in problem
