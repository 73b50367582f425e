"""`receive` with `expect`: a script that compares what it receives."""

import pytest

from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.plan import ListenerPlan
from tests.core.playbook import Playbook, Somewhere, after, connected, eof
from tests.language.compiling import only
from tests.language.configurations import listener

UNEXPECTED = CloseReason.UNEXPECTED


def compiled(rules: str, *, framing: str = "line", more: str = "") -> ListenerPlan:
    return only(listener(f"framing: {framing}\n{more}\nrules:\n{rules}"))


LOGIN = r"""
  - name: login
    event: CONNECT
    do:
      - send: "login: "
      - receive: {framing: line, into: user, expect: {regex: "^(?P<initial>[a-z])[a-z]+$"}}
      - send: "password: "
      - receive: {framing: line, expect: secret}
      - send: {template: "welcome ${vars.user} ${initial}${captures[1]}\r\n"}
  - do: [echo]
"""


def test_frames_as_expected_let_the_script_go_on_with_their_captures() -> None:
    book = Playbook(compiled(LOGIN)) >> connected << Send(b"login: ")
    book >> b"ada\r\n" << Send(b"password: ") >> b"secret\nls\n" << Send(b"welcome ada aa\r\n") << Send(b"ls")
    assert len(book.account.events) == 1


@pytest.mark.parametrize("said", [b"wrong\r\nls\r\n", b"\nls\n", b"secret \n", b"secre\n"])
def test_unexpected_frame_ends_the_script_in_order(said: bytes) -> None:
    where = Somewhere()
    book = Playbook(compiled(LOGIN), connection=where) >> connected << Send(b"login: ")
    book >> b"ada\r\n" << Send(b"password: ") >> said << HalfClose() >> b"more\n" >> eof << Close(UNEXPECTED)
    assert book.account.unmatched_requests == len(book.account.rules) == 0
    ((rule, why),) = where.unexpected_frames
    assert (rule, book.account.unexpected) == ("login", [900])
    assert 'is not "secret"' in why


def test_unexpected_frame_closes_at_once_when_the_peer_has_closed_its_half() -> None:
    book = Playbook(compiled("  - do: [delay: 1s, receive: {framing: line, expect: b}, send: no]"))
    book >> b"a\nc\n" >> eof >> after(1) << Close(UNEXPECTED)


def test_request_of_the_rule_is_the_same_before_and_behind_an_expected_frame() -> None:
    rules = """
  - do:
      - receive: {framing: line, expect: {expr: "request == 'b' and len(request) == 1"}}
      - send: {template: "${request}"}
      - echo
"""
    Playbook(compiled(rules)) >> b"first\nb\n" << Send(b"first") << Send(b"first")


def test_condition_on_a_frame_sees_the_captures_of_the_rule_and_of_earlier_frames() -> None:
    rules = r"""
  - when: {regex: '^(?P<key>\w+)=(\d+)$'}
    do:
      - receive: {framing: line, expect: {all: [{regex: '^(?P<other>\w+)$'}, {expr: "other == key"}]}}
      - receive: {framing: line, expect: {expr: "request == key + other + captures[2]"}}
      - send: {template: "${key} ${other} ${1} ${2}"}
"""
    target = compiled(rules)
    Playbook(target) >> b"k=12\nk\nkk12\n" << Send(b"k k k 12")
    Playbook(target) >> b"k=12\nj\n" << HalfClose() >> eof << Close(UNEXPECTED)


def test_frame_is_compared_as_its_own_framing_knows_it() -> None:
    rules = """
  - do: [receive: {framing: http, expect: {expr: "http.method == 'PUT'"}}, send: ok]
"""
    book = Playbook(compiled(rules)) >> b"go\nPUT / HTTP/1.1\r\n\r\n" << Send(b"ok")
    book >> b"go\nGET / HTTP/1.1\r\n\r\n" << HalfClose() >> eof << Close(UNEXPECTED)


@pytest.mark.parametrize("size, ends", [("0", False), ("1", True)])
def test_frame_of_no_bytes_is_compared_too(size: str, ends: bool) -> None:
    rules = """
  - do: [receive: {framing: {fixed: {size_from: "int(request)"}}, into: x, expect: {size: {max: 0}}}, send: "[${x}]"]
""".replace('"[${x}]"', '{template: "[${vars.x}]"}')
    book = Playbook(compiled(rules)) >> f"{size}\nabc".encode()
    if ends:
        book << HalfClose() >> eof << Close(UNEXPECTED)
    else:
        book << Send(b"[]")
    rules = rules.replace("max: 0", "min: 1")
    book = Playbook(compiled(rules)) >> f"{size}\nabc".encode()
    if ends:
        book << Send(b"[a]")
    else:
        book << HalfClose() >> eof << Close(UNEXPECTED)


def test_fin_before_an_expected_frame_is_complete_truncates_it() -> None:
    book = Playbook(compiled("  - do: [receive: {framing: line, expect: b}, send: no]"))
    book >> b"a\nb" >> eof << Close(CloseReason.PEER_EOF)
    assert book.account.truncations == 1


def test_receive_without_a_variable_stores_nothing() -> None:
    book = Playbook(compiled("  - do: [receive: {framing: line}, send: ok]")) >> b"a\nb\n" << Send(b"ok")
    assert book.session.context.variables == {}


def test_many_expected_frames_of_one_script_keep_all_captures() -> None:
    names = [f"g{number}" for number in range(1500)]
    steps = "".join(f"      - receive: {{framing: line, expect: {{regex: '(?P<{name}>.)'}}}}\n" for name in names)
    rules = f"\n  - do:\n{steps}      - send: {{template: '${{g0}}${{g1499}}'}}\n"
    lines = b"".join(b"%c\n" % (97 + number % 26) for number in range(1500))
    book = Playbook(compiled(rules)) >> b"go\n" + lines
    book << Send(b"a" + lines[-2:-1])
