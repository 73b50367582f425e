"""The names that framings provide for expressions."""

from typing import TYPE_CHECKING, cast

import pytest

from answerback.core.actions import Send
from answerback.core.escapes import escape
from answerback.language.check import check
from answerback.language.context import Compiling
from answerback.language.expressions import FramingField, Scope, compile_template
from answerback.language.framing import FRAMINGS, FramingKind, compile_framing
from tests.core.playbook import Playbook
from tests.core.turns import MadeUp
from tests.language.compiling import only
from tests.language.configurations import listener, said

if TYPE_CHECKING:
    from answerback.core.context import RequestContext

PROVIDED = [(kind, field) for kind in FRAMINGS for field in kind.provides]


@pytest.mark.parametrize("kind, field", PROVIDED, ids=[field.name for _, field in PROVIDED])
def test_example_of_each_field_makes_what_the_reference_says(kind: FramingKind, field: FramingField) -> None:
    (given,) = listener(kind.example).listeners
    (request,), end = compile_framing(given.framing, Compiling({})).split(kind.sample, 0)
    assert end == len(kind.sample)
    template = compile_template(f"${{{field.example}}}", Scope(fields={field.name: field}))
    assert escape(template.render(cast("RequestContext", MadeUp(request)))) == field.makes


def test_names_of_fields_are_all_different() -> None:
    assert len({field.name for _, field in PROVIDED}) == len(PROVIDED)


def test_field_is_known_where_a_framing_of_the_listener_provides_it() -> None:
    expression = "rules: [{when: {expr: \"http.method == 'GET'\"}, do: [framing: websocket]}]"
    assert check(listener(expression, framing="http"), {}) == []
    later = "rules: [{do: [framing: http]}, {when: {expr: \"http.method == 'GET'\"}}]"
    assert check(listener(later, framing="line"), {}) == []
    (problem,) = said(check(listener(expression, framing="line"), {}))
    assert problem.startswith("listeners[0].rules[0].when.expr: unknown name 'http.method'")


def test_fields_of_a_framing_choose_the_rule_and_make_the_reply() -> None:
    rules = """rules:
  - when: {expr: "http.path == '/double' and http.header('n') != ''"}
    do: [respond: {status: 200, headers: [{name: X-Method, value: {template: "${http.method}"}}],
                   body: {template: "${int(http.header('n')) * 2}"}}]
  - when: {expr: "http.path == '/body'"}
    do: [respond: {status: 200, body: {template: "${http.body}"}}]
  - do: [respond: 404]"""
    book = Playbook(only(listener(rules, framing="http")))
    book >> b"GET /double?x HTTP/1.1\r\nN: 21\r\n\r\n"
    book << Send(b"HTTP/1.1 200 OK\r\nX-Method: GET\r\nContent-Length: 2\r\n\r\n42")
    book >> b"PUT /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    book << Send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    book >> b"GET /double HTTP/1.1\r\n\r\n" << Send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def test_rule_on_a_body_is_not_remembered_by_its_bytes_alone() -> None:
    """Two bodies of the same bytes have different heads."""
    rules = """rules:
  - in_states: [body]
    when: {expr: "http.path == '/a'"}
    do: [send: A, state: ""]
  - in_states: [body]
    do: [send: other, state: ""]
  - do: [state: body]"""
    book = Playbook(only(listener(rules, framing="{http: {head_first: true}}")))
    for path, reply in (("a", b"A"), ("b", b"other"), ("a", b"A"), ("b", b"other")):
        head = f"PUT /{path} HTTP/1.1\r\nContent-Length: 1\r\n\r\n".encode()
        book = book >> head >> b"x" << Send(reply)


def test_equal_payloads_of_different_opcodes_are_distinguished() -> None:
    rules = """rules:
  - when: {expr: "frame.opcode == 9"}
    do: [send: pong]
  - do: [send: {template: "${frame.opcode}"}]"""
    book = Playbook(only(listener(rules, framing="websocket")))
    for opcode, reply in ((0x89, b"pong"), (0x81, b"1"), (0x89, b"pong"), (0x82, b"2")):
        book = book >> bytes([opcode, 0x80, 0, 0, 0, 0]) << Send(reply)


def test_layouts_of_several_length_prefixes_are_distinguished() -> None:
    rules = """rules:
  - in_states: [""]
    do: [send: {template: "${frame.body}"}, framing: {length_prefix: {offset: 1, width: 1}}, state: second]
  - do: [send: {template: "${frame.head + '|' + frame.body}"}]"""
    book = Playbook(only(listener(rules, framing="{length_prefix: {width: 2}}")))
    book >> b"\0\2abT\3xyz" << Send(b"abT\3|xyz")
