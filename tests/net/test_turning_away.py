"""Connections over a limit, and rules on LIMIT."""

from contextlib import suppress
from dataclasses import replace

import pytest

from answerback.core.plan import ListenerPlan
from answerback.language.check import check
from answerback.language.lint import warnings
from answerback.net.turning_away import MAX_LINGERING
from answerback.shared import listener_counters
from tests.language.compiling import only
from tests.language.configurations import listener, said
from tests.net.conftest import KINDS, UNIX_KINDS, Serving, each_of
from tests.waiting import eventually

serving = each_of([*KINDS, *UNIX_KINDS])


def compiled(rules: str, limits: str = "{max_connections: 1}") -> ListenerPlan:
    echo = '{do: [echo, send: "\\n"]}'
    return replace(only(listener(f"framing: line\nlimits: {limits}\nrules: [{rules}, {echo}]")), socket="it")


FULL = 'event: LIMIT, do: [send: "-ERR full\\r\\n"]'


def begin(serving: Serving, rules: str) -> ListenerPlan:
    """Serve these rules to one connection, which is open."""
    plan = compiled(rules)
    serving.commit(plan)
    assert serving.connect().say(b"a\n").hear(2) == b"a\n"
    return plan


def test_connection_over_the_limit_hears_the_rule_and_is_closed_in_order(serving: Serving) -> None:
    begin(serving, "{" + FULL + "}")
    assert serving.connect().say(b"b\n").hear_all() == b"-ERR full\r\n"
    assert serving.clients[0].say(b"c\n").hear(2) == b"c\n"


def test_connection_over_the_limit_counts_as_rejected_and_nothing_else(serving: Serving) -> None:
    plan = begin(serving, "{" + FULL + "}")
    for _ in range(3):
        client = serving.connect().say(b"b\n")
        assert client.hear_all() == b"-ERR full\r\n"
        client.close()
    serving.clients[0].finish().hear_all()
    serving.clients[0].close()
    serving.settle()
    counts = {
        "accepted": listener_counters.ACCEPTED,
        "rejected": listener_counters.REJECTED,
        "requests": listener_counters.REQUESTS,
        "received": listener_counters.RECEIVED_BYTES,
        "sent": listener_counters.SENT_BYTES,
        "open": listener_counters.OPEN,
    }
    assert {name: serving.count(cell) for name, cell in counts.items()} == {
        "accepted": 1, "rejected": 3, "requests": 1, "received": 2, "sent": 2, "open": 0,
    }  # fmt: skip
    assert plan.on_limit is not None


def test_limit_rule_that_does_not_match_any_more_leaves_the_close(serving: Serving) -> None:
    begin(serving, "{times: 1, " + FULL + "}")
    assert serving.connect().hear_all() == b"-ERR full\r\n"
    assert serving.connect().hear_all() == b""


def test_connections_past_those_that_linger_are_reset(serving: Serving) -> None:
    begin(serving, "{" + FULL + "}")
    lingering = [serving.connect() for _ in range(MAX_LINGERING)]
    assert [client.hear(11) for client in lingering] == [b"-ERR full\r\n"] * MAX_LINGERING
    with suppress(ConnectionResetError):
        assert serving.connect().hear_all() == b""  # a Unix socket has no reset
    for client in lingering:
        client.close()

    def words() -> bool:
        try:
            return serving.connect().hear_all() == b"-ERR full\r\n"
        except ConnectionResetError:
            return False

    eventually(words)
    assert serving.count(listener_counters.ACCEPTED) == 1


def test_limit_rule_may_reset(serving: Serving) -> None:
    begin(serving, "{event: LIMIT, do: [send: no, reset]}")
    with suppress(ConnectionResetError):
        assert serving.connect().hear_all() in {b"no", b""}
    assert serving.clients[0].say(b"c\n").hear(2) == b"c\n"


def test_limit_rule_with_other_steps_is_rejected() -> None:
    found = said(check(listener("limits: {max_connections: 1}\nrules: [{event: LIMIT, do: [send: a, delay: 1s]}]"), {}))
    assert found == ["listeners[0].rules[0].do[1]: a rule on LIMIT may only send, close and reset"]


@pytest.mark.parametrize(
    "rule",
    ['do: [send: {template: "${connection.number}"}]', 'when: {expr: "connection.number > 3"}, do: [send: a]'],
)
def test_limit_rule_that_uses_the_number_of_a_connection_is_rejected(rule: str) -> None:
    (problem,) = said(check(listener(f"limits: {{max_connections: 1}}\nrules: [{{event: LIMIT, {rule}}}]"), {}))
    assert ": a connection over a limit has no connection.number" in problem
    assert said(check(listener(f"rules: [{{event: CONNECT, {rule}}}]"), {})) == []


def test_connection_over_the_limit_takes_no_number_and_goes_through_no_fault(serving: Serving) -> None:
    counting = '{event: CONNECT, do: [send: {template: "${connection.number}"}]}'
    serving.commit(
        compiled(f"{counting}, {{{FULL}}}", "{max_connections: 1}\nfaults: [{rules: ['rules[1]'], drop: {}}]")
    )
    first = serving.connect()
    assert first.hear(1) == b"1"
    assert [serving.connect().hear_all() for _ in range(3)] == [b"-ERR full\r\n"] * 3
    first.finish().hear_all()
    first.close()
    serving.settle()
    assert serving.connect().hear(1) == b"2"


def test_limit_rule_without_a_limit_gets_a_warning() -> None:
    rules = "rules: [{event: LIMIT, do: [send: a]}]"
    (warning,) = said(warnings(listener(rules)))
    assert warning.startswith("listeners[0].rules[0]: never reached: neither max_connections")
    assert warnings(listener(f"{rules}\nlimits: {{max_connections_per_peer: 1}}")) == []
