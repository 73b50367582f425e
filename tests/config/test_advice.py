import pytest
from hypothesis import given

from answerback.config.advice import warnings
from answerback.v1 import config_pb2 as v1
from tests.config.configurations import configs, few, listener, said


def advice(text: str = "", **fields: str) -> list[str]:
    """What is advised of a listener; the path is that within the listener."""
    return [line.removeprefix("listeners[0].") for line in said(warnings(listener(text, **fields)))]


@few
@given(configs())
def test_advice_is_given_of_anything(config: v1.Config) -> None:
    assert all(problem.path for problem in warnings(config))


def test_no_listeners() -> None:
    assert said(warnings(v1.Config())) == ["listeners: none: nothing will be served"]


@pytest.mark.parametrize(
    "first", ["{}", "{do: [close]}", "{when: {prefix: ''}}", "{when: {contains: ''}}", "{when: {regex: ''}}"]
)
def test_a_rule_behind_one_that_takes_everything(first: str) -> None:
    assert advice(f"rules: [{first}, {{when: PING}}, {{}}, {{event: CONNECT}}]") == [
        "rules[1]: never reached: rules[0] takes everything",
        "rules[2]: never reached: rules[0] takes everything",
    ]


def test_an_empty_request_is_something_to_equal() -> None:
    assert advice("rules: [{when: ''}, {when: PING}, {when: {prefix: {hex: ''}}}]") == []


def test_a_second_rule_on_connect() -> None:
    assert advice("rules: [{event: CONNECT}, {}, {event: CONNECT}]") == [
        "rules[2]: never reached: rules[0] takes everything",
    ]


def test_a_rule_behind_one_with_the_same_condition() -> None:
    assert advice(
        "rules: [{when: {not: PING}, do: [close]}, {when: PING}, {when: {not: {equals: PING}}, do: [echo]}]"
    ) == [
        "rules[2]: never reached: rules[0] has the same condition",
    ]


@pytest.mark.parametrize("end", ["close", "reset"])
def test_steps_behind_the_end(end: str) -> None:
    assert advice(f"rules: [{{do: [echo, {end}, discard, close]}}]") == [
        "rules[0].do[2]: never taken: do[1] ends the connection",
    ]
    assert advice(f"rules: [{{do: [echo, {end}]}}]") == []


def test_an_echo_of_nothing() -> None:
    assert advice("rules: [{event: CONNECT, do: [send: hi, echo]}]") == [
        "rules[0].do[1]: sends nothing: there is no request yet on CONNECT",
    ]


def test_text_where_bytes_were_meant() -> None:
    found = advice('rules: [{when: {all: ["\\xff", {regex: "é"}]}, do: [send: "caf\\xe9 \\xff", send: "→"]}]')
    assert found == [
        r"rules[0].when.all.of[0].equals.text: 'ÿ' is two bytes, c3 bf; if the byte ff is meant, write hex",
        r"rules[0].when.all.of[1].regex: 'é' is two bytes, c3 a9; if the byte e9 is meant, write \xe9 in the pattern",
        r"rules[0].do[0].send.text: 'é' is two bytes, c3 a9; if the byte e9 is meant, write hex",
    ]


def test_reads_longer_than_requests_may_be() -> None:
    assert advice(limits="{max_request_bytes: 1000}") == [
        "limits.max_request_bytes: less than one read of up to 1024 bytes: longer reads close the connection",
    ]
    assert advice(limits="{max_request_bytes: 1000}", framing="{read: {max_bytes: 1000}}") == []
    assert advice(limits="{max_request_bytes: 1000}", framing="line") == []


def test_timeouts_behind_the_end_of_life() -> None:
    assert advice(limits="{lifetime: 10s, idle_timeout: 10s, request_timeout: 1m}") == [
        "limits.idle_timeout: never ends a connection: its lifetime is over by then",
        "limits.request_timeout: never ends a connection: its lifetime is over by then",
    ]
    assert advice(limits="{lifetime: 10s}") == advice(limits="{lifetime: 0, idle_timeout: 1h}") == []
    assert advice(limits="{lifetime: 10s, idle_timeout: 0}") == []
