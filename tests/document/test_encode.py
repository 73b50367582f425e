import pytest
import yaml
from hypothesis import given

from answerback.document.document import load
from answerback.document.encode import dump
from answerback.language.builtin import BUILT_IN
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import WHOLE, listener
from tests.language.strategies import configs, few, texts


@few
@given(configs())
def test_dumped_configuration_loads_to_the_same(config: v1.Config) -> None:
    document = load(dump(config))
    assert document.problems == ()
    assert document.config == config


def test_dump_of_builtin_configuration_is_canonical_yaml() -> None:
    assert (
        dump(BUILT_IN)
        == """\
listeners:
  - name: hello
    address: 0.0.0.0:8000
    framing:
      read:
        max_bytes: 1024
    rules:
      - do:
          - send:
              text: "Hello, World!"
          - close: {}
"""
    )


def test_dump_writes_every_field_in_full() -> None:
    text = dump(load(WHOLE).config)
    assert load(text).config == load(WHOLE).config
    assert dump(load(text).config) == text
    for line in (
        "engine: ENGINE_CALLBACK",
        "event: EVENT_CONNECT",
        "fixed: 1m30s",
        'hex: "2b 50 4f 4e 47"',
        "write_timeout: 0",
        "- discard: {}",
        'address: "[::1]:0"',
    ):
        assert line in text


def test_dump_of_empty_configuration_has_no_listeners() -> None:
    assert dump(v1.Config()) == "listeners: []\n"


TEXTS = {
    "PING": "PING",
    "on": '"on"',
    "Null": '"Null"',
    "~": '"~"',
    "": '""',
    "00": '"00"',
    "a: b": '"a: b"',
    "é": '"é"',
    "a\r\n": '"a\\r\\n"',
    "\x7f\x85\u2028\ufeff": '"\\U0000007f\\U00000085\\U00002028\\U0000feff"',
    "😀": '"😀"',
    '"\\': '"\\"\\\\"',
}


@pytest.mark.parametrize("text, written", TEXTS.items())
def test_dumped_text_is_quoted_where_needed(text: str, written: str) -> None:
    config = listener("rules: [{when: x}]")
    config.listeners[0].rules[0].when.equals.text = text
    assert f"text: {written}\n" in dump(config)


@given(texts)
def test_dumped_text_is_the_same_for_another_yaml_loader(text: str) -> None:
    config = listener("rules: [{do: [send: x]}]")
    config.listeners[0].rules[0].do[0].send.text = text
    read = yaml.load(dump(config), Loader=yaml.CSafeLoader)  # noqa: TID251 - what others would do
    assert read["listeners"][0]["rules"][0]["do"] == [{"send": {"text": text}}]
    assert read["listeners"][0]["address"] == "127.0.0.1:0"
