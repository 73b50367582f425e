"""Python values as configurations, and configurations as Python values."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from answerback.document.document import load
from answerback.document.values import fill, value_of
from answerback.language.payloads import decode
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import WHOLE
from tests.language.strategies import configs, few


def problems(message: Message, value: object) -> list[tuple[str, str]]:
    return [(each.path, each.message) for each in fill(message, value)]


@few
@given(configs())
def test_value_of_a_configuration_fills_an_equal_one(config: v1.Config) -> None:
    read = v1.Config()
    assert fill(read, value_of(config)) == []
    assert read == config


def test_value_is_canonical_with_words_durations_and_numbers() -> None:
    value = value_of(load(WHOLE).config)
    assert value_of(load(WHOLE).config) == value
    text = repr(value)
    for part in ("'engine': 'CALLBACK'", "'event': 'CONNECT'", "'fixed': '1m30s'", "'discard': {}"):
        assert part in text
    assert value_of(v1.Config()) == {}


def test_shorthand_and_words_mean_what_they_mean_in_yaml() -> None:
    listener = v1.Listener()
    value = {
        "name": "a",
        "framing": {"line": {"keep_ending": True}},
        "rules": [{"when": "PING", "do": [{"send": "+PONG\r\n"}, {"delay": "5ms"}, "close"]}],
        "limits": {"idle_timeout": timedelta(seconds=1.5), "max_connections": 3},
        "random_seed": 7,
    }
    assert fill(listener, value) == []
    text = """listeners: [{name: a, framing: {line: {keep_ending: true}}, random_seed: 7,
      rules: [{when: PING, do: [send: "+PONG\\r\\n", delay: 5ms, close]}],
      limits: {idle_timeout: 1.5s, max_connections: 3}}]"""
    assert listener == load(text).config.listeners[0]


@given(st.binary(max_size=20))
def test_bytes_stand_for_themselves_wherever_a_text_may_stand(data: bytes) -> None:
    rule = v1.Rule()
    value = {"when": {"prefix": data}, "do": [{"send": bytearray(data)}, {"send": {"text": "x"}}]}
    assert fill(rule, value) == []
    assert decode(rule.do[0].send, {}) == data
    if data:
        assert decode(rule.when.prefix, {}) == data


def test_bytes_that_are_no_text_do_not_stand_for_a_text() -> None:
    what = "text is expected, not bytes that are not UTF-8"
    assert problems(v1.Match(), {"regex": b"\xff"}) == [("regex", what)]
    assert problems(v1.Match(), b"\xff") == []
    assert problems(v1.Listener(), {"framing": b"\xff"})[0][0] == "framing"


def test_an_empty_prefix_of_bytes_is_an_empty_text() -> None:
    match = v1.Match()
    assert fill(match, {"prefix": b""}) == []
    assert match.prefix.WhichOneof("bytes") == "text"


@pytest.mark.parametrize(
    "value, path, said",
    [
        ({"nonsense": 1}, "nonsense", "no such field"),
        ({"rules": [{"do": [{"sned": "x"}]}]}, "rules[0].do[0].sned", "did you mean send?"),
        ({"limits": {"max_connections": "3"}}, "limits.max_connections", "not '3' in quotes"),
        ({"limits": {"idle_timeout": 5}}, "limits.idle_timeout", "needs a unit"),
        ({"rules": "x"}, "rules", "a list is expected"),
        ({"name": object()}, "", "a value of object has no form in a configuration"),
        ({"name": {1, 2}}, "", "a value of set has no form in a configuration"),
        ([], "", "a mapping with fields is expected, not a list"),
        ({"framing": {"line": {"keep_ending": "true"}}}, "framing.line.keep_ending", "true or false is expected"),
    ],
)
def test_value_that_is_wrong_is_a_problem_with_its_path(value: Any, path: str, said: str) -> None:
    ((at, message),) = problems(v1.Listener(), value)
    assert at == path
    assert said in message


def test_value_without_end_is_a_problem() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert problems(v1.Listener(), {"rules": endless}) == [("", "nested too deep")]


def test_null_leaves_the_default() -> None:
    listener = v1.Listener()
    assert fill(listener, {"limits": None, "rules": None}) == []
    assert listener == v1.Listener(limits=v1.Limits())
