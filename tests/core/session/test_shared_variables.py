"""What a session reads and writes of the variables that all connections share."""

import pytest

from answerback.core.actions import CloseReason, HalfClose, Send
from answerback.core.shared_view import SharedWriteFailed
from answerback.explain.fake_connection import LocalVariables
from tests.core.playbook import After, Playbook, Somewhere
from tests.language.compiling import only
from tests.language.configurations import listener


def book(rules: str, connection: Somewhere | None = None) -> Playbook:
    return Playbook(only(listener(framing="line", rules=rules)), connection=connection)


STORE = """
- when: {regex: "^SET (?P<key>\\\\S+) (?P<value>.*)$"}
  do: [set: {shared: "'k:' + key", value: {template: "${value}"}}, send: OK]
- when: {all: [{regex: "^GET (?P<key>\\\\S+)$"}, {expr: "('k:' + key) in shared"}]}
  do: [send: {template: "=${shared['k:' + key]}"}]
- when: {all: [{regex: "^GET (?P<key>\\\\S+)$"}, {expr: "'k:' + key not in shared"}]}
  do: [send: "none"]
- when: {regex: "^DEL (?P<key>\\\\S+)$"}
  do: [unset: {shared: "'k:' + key"}, send: OK]
- when: {regex: "^ADD (?P<by>\\\\S+)$"}
  do: [add: {shared: "'n'", by: int(by), into: sum}, send: {template: ":${vars.sum}"}]
- when: NEXT
  do: [add: {shared: "'n'"}, send: {template: ":${shared['n']}"}]
- when: UNSET
  do: [unset: sum, send: {template: "(${vars.sum})"}]
"""


def test_what_one_connection_stores_every_other_one_reads() -> None:
    variables = LocalVariables()
    first, second = (book(STORE, Somewhere(variables=variables)) for _ in range(2))
    first >> b"GET a\n" << Send(b"none")
    first >> b"SET a one\n" << Send(b"OK")
    second >> b"GET a\n" << Send(b"=one")
    second >> b"SET a \n" << Send(b"OK")
    first >> b"GET a\n" << Send(b"=")
    first >> b"DEL a\n" << Send(b"OK")
    second >> b"GET a\n" << Send(b"none")
    second >> b"DEL a\n" << Send(b"OK")


def test_sums_are_added_at_once_and_stored_for_the_connection() -> None:
    play = book(STORE)
    play >> b"ADD 5\n" << Send(b":5")
    play >> b"NEXT\n" << Send(b":6")
    play >> b"ADD -7\n" << Send(b":-1")
    play >> b"UNSET\n" << Send(b"()")


def test_add_to_what_is_no_number_fails_the_reply() -> None:
    variables = LocalVariables()
    variables.put(b"n", b"x")
    play = book(STORE, Somewhere(variables=variables))
    play >> b"NEXT\n" << HalfClose()
    assert play.session.connection_lost(CloseReason.PEER_EOF) == CloseReason.REPLY_FAILED
    assert variables.get(b"n") == b"x"


class Full(LocalVariables):
    """Variables that take nothing more."""

    def put(self, _key: bytes, _value: bytes, /) -> None:
        raise SharedWriteFailed("full")

    def delete(self, _key: bytes, /) -> None:
        raise SharedWriteFailed("full")

    def add(self, _key: bytes, _by: int, /) -> bytes:
        raise SharedWriteFailed("full")


@pytest.mark.parametrize("request_", [b"SET a b\n", b"DEL a\n", b"NEXT\n"])
def test_write_that_fails_ends_the_connection_for_its_own_reason(request_: bytes) -> None:
    play = book(STORE, Somewhere(variables=Full()))
    play >> request_ << HalfClose()
    assert play.session.connection_lost(CloseReason.PEER_EOF) == CloseReason.SHARED_WRITE_FAILED


class Moments(Somewhere):
    """A connection that counts the views it is asked for."""

    views = 0

    def shared_view(self) -> LocalVariables:
        self.views += 1
        return super().shared_view()


@pytest.mark.parametrize(
    "steps, views",
    [
        ("send: {template: \"${shared['a']}${shared['b']}\"}, send: {template: \"${shared['a']}\"}", 1),
        ("send: {template: \"${shared['a']}\"}, delay: 1s, send: {template: \"${shared['a']}\"}", 2),
        ("set: {shared: \"'a'\", value: x}, send: {template: \"${shared['a']}\"}", 1),
        ("send: x", 0),
    ],
)
def test_one_event_looks_at_one_moment_until_a_step_waits(steps: str, views: int) -> None:
    connection = Moments()
    play = book(f"[{{do: [{steps}]}}]", connection)
    for number in (1, 2):
        play._perform(play.session.receive_data(b"go\n", play.now))
        play >> After(2.0) if not play.heard else None
        play.heard.clear()
        play._pass(2.0)
        play.heard.clear()
        assert connection.views == number * views


def test_condition_and_steps_of_one_request_look_at_one_moment() -> None:
    connection = Moments()
    play = book("[{when: {expr: \"'a' not in shared\"}, do: [send: {template: \"(${shared['a']})\"}]}]", connection)
    play >> b"x\n" << Send(b"()")
    assert connection.views == 1
    play >> b"x\n" << Send(b"()")
    assert connection.views == 2, "the reply is not remembered"


def test_event_that_is_no_request_may_use_shared_variables() -> None:
    text = '[{event: EOF, do: [add: {shared: "\'left\'", into: left}, send: {template: "${vars.left}"}]}]'
    play = book(text)
    play._perform(play.session.receive_eof(play.now))
    assert play.heard[0] == Send(b"1")
    play.heard.clear()
