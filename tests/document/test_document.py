import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.document import yaml_tree as nodes
from answerback.document.document import Document, load
from answerback.document.encode import dump
from answerback.language.check import check
from answerback.language.files import read_files
from answerback.language.lint import warnings
from answerback.language.problems import Problem
from answerback.v1 import config_pb2 as v1
from tests.language.compiling import compiled
from tests.language.configurations import CONVERSATIONS, HELLO, WHOLE, WHOLE_FILES, problems_of
from tests.language.strategies import configs, few


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_reference_configurations_load_and_survive_a_round_trip(name: str) -> None:
    document = load(CONVERSATIONS[name])
    assert document.problems == ()
    assert check(document.config, {}) == []
    assert warnings(document.config) == []
    assert load(dump(document.config)).config == document.config


def test_configuration_with_every_field_is_loaded() -> None:
    document = load(WHOLE)
    assert document.problems == ()
    assert check(document.config, WHOLE_FILES) == []


def test_document_loads_from_bytes_and_ignores_a_byte_order_mark() -> None:
    assert load(HELLO.encode()) == load("\ufeff" + HELLO) == load(HELLO)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "null", "~\n...\n"])
def test_empty_text_is_rejected_as_configuration(text: str) -> None:
    """It is what a file is while it is being written: serving nothing from now on is never what it means."""
    assert problems_of(text) == ["the configuration is empty; a configuration without listeners is `listeners: []`"]


@pytest.mark.parametrize("text", ["listeners: []", "{}", "listeners:\n"])
def test_configuration_without_listeners_is_accepted(text: str) -> None:
    assert load(text) == Document(v1.Config(), (), load(text).root)


def test_document_that_is_not_utf_8_is_rejected() -> None:
    assert problems_of("a: \ud800") == ["not UTF-8: surrogates not allowed (byte 3)"]
    assert [str(problem) for problem in load(b"a: \xff").problems] == ["not UTF-8: invalid start byte (byte 3)"]


def test_document_past_4_mib_is_rejected() -> None:
    assert problems_of("#" * (nodes.MAX_BYTES + 1)) == [
        "longer than 4194304 bytes; move long payloads to files",
    ]


NAME_FORM = "letters, digits, `.`, `_` and `-`, the first a letter or digit, 63 at most"


def test_each_problem_has_its_line_and_column() -> None:
    text = """\
listeners:
  - name: a b
    adress: 127.0.0.1:80
    rules:
      - when: {regex: "(?=x)"}
        do: [send: {hex: "abc"}, clos]
      - do:
          - delay: 2h
  - name: second
"""
    assert problems_of(text) == [
        "3:5: listeners[0].adress: no such field; did you mean address?",
        "6:34: listeners[0].rules[0].do[1]: no such word: 'clos'; did you mean close?",
        f"2:11: listeners[0].name: {NAME_FORM}, not 'a b'",
        "2:5: listeners[0].address: missing: write HOST:PORT, like 127.0.0.1:8000, 0.0.0.0:8000 or [::1]:8000",
        "9:5: listeners[1].address: missing: write HOST:PORT, like 127.0.0.1:8000, 0.0.0.0:8000 or [::1]:8000",
        "5:23: listeners[0].rules[0].when.regex: invalid RE2: invalid perl operator: (?=",
        "6:26: listeners[0].rules[0].do[0].send.hex: odd number of digits",
        "8:20: listeners[0].rules[1].do[0].delay.fixed: must be 0 to 1h, not 2h",
    ]


def test_document_problem_is_reported_once_without_its_consequences() -> None:
    text = "listeners: [{name: a, address: '1.1.1.1:1', rules: [{when: {prefx: a}, do: [delay: 5x, send: [a], clos]}]}]"
    assert [problem.split(": ")[1] for problem in problems_of(text)] == [
        "listeners[0].rules[0].when.prefx",
        "listeners[0].rules[0].do[0].delay.fixed",
        "listeners[0].rules[0].do[1].send.text",
        "listeners[0].rules[0].do[2]",
    ]


def test_problem_of_an_absent_field_is_located_at_its_nearest_parent() -> None:
    document = load("listeners:\n  - name: a\n    rules: [{when: {any: [x, y]}}, {do: [send: hi]}]\n")

    def place(path: str) -> tuple[int | None, int | None]:
        (problem,) = document.located([Problem(path, "wrong")])
        return problem.line, problem.column

    assert place("listeners[0].rules[0].when.any.of[1].equals.text") == (3, 30)
    assert place("listeners[0].rules[1].do[0].send.text") == (3, 48)
    assert place("listeners[0].address") == (2, 5)
    assert place("listeners[7].address") == (2, 3)
    assert place("nonsense[") == (1, 1)
    assert place("") == (None, None)


# ── Whatever a text is, this ends soon, in a configuration or in problems. ────────────────────────────────────────


def survives(text: str | bytes) -> None:
    document = load(text)
    files, unread = read_files(document.config, lambda _name: b"read")
    problems = [*document.problems, *document.located([*unread, *check(document.config, files)])]
    warnings(document.config)
    if not problems:
        assert load(dump(document.config)).config == document.config
        assert len(compiled(document.config, files).listeners) == len(document.config.listeners)
    for problem in problems:
        assert len(str(problem)) < 1000
        assert problem.line is None or problem.line >= 1


@given(st.text())
def test_any_text_is_loaded_or_rejected(text: str) -> None:
    survives(text)


@given(st.binary())
def test_any_bytes_are_loaded_or_rejected(data: bytes) -> None:
    survives(data)


@given(st.sampled_from([*CONVERSATIONS.values(), WHOLE]), st.integers(0), st.binary(max_size=4))
def test_any_bytes_within_a_configuration_are_loaded_or_rejected(text: str, at: int, data: bytes) -> None:
    whole = text.encode()
    survives(whole[: at % len(whole)] + data + whole[at % len(whole) + len(data) :])


words = ["listeners", "rules", "do", "when", "send", "text", "hex", "limits", "name", "line", "close", "any", "not"]
marks = [
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "'",
    '"',
    "~",
    "1s",
    "0",
    "!x ",
    "? ",
    "|",
]
tokens = st.sampled_from([*words, *marks])


@given(st.lists(tokens, max_size=40).map("".join))
def test_any_row_of_yaml_words_is_loaded_or_rejected(text: str) -> None:
    survives(text)


@given(st.sampled_from([*CONVERSATIONS.values(), WHOLE]), st.randoms(use_true_random=False), st.integers(1, 6))
def test_mutated_text_is_loaded_or_rejected(text: str, chance: random.Random, times: int) -> None:
    for _ in range(times):
        at = chance.randrange(len(text) + 1)
        piece = chance.choice(
            ["", "\x00", "é", ": ", "\n", "  ", "[", "}", "'", "&a ", "*a ", "- ", "9" * 30, text[:20]]
        )
        text = text[:at] + piece + text[at + chance.randrange(8) :]
    survives(text)


@few
@given(configs(), st.randoms(use_true_random=False))
def test_configuration_with_mutated_lines_is_loaded_or_rejected(config: v1.Config, chance: random.Random) -> None:
    lines = dump(config).splitlines()
    for _ in range(3):
        lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
        del lines[chance.randrange(len(lines))]
    survives("\n".join(lines))


HOSTILE = {
    "unknown fields": "listeners:\n" + "- {nmae: x}\n" * 20_000,
    "unknown words": "listeners: [{rules: [{do: [" + "clos," * 30_000 + "]}]}]",
    "empty steps": "listeners: [{rules: [{do: [" + "{}," * 30_000 + "]}]}]",
    "empty rules": "listeners: [{rules: [" + "{}," * 30_000 + "]}]",
    "a long word": "listeners: " + "x" * 4_000_000,
    "a long key": '"' + "x" * 1000 + '": 1',
    "long names": "listeners: [" + f"{{name: {'x' * 10_000}}}," * 200 + "]",
    "a long pattern": "listeners: [{rules: [{when: {regex: " + "(a|b)*" * 500_000 + "}}]}]",
    "aliases": "listeners: [{rules: [&a {do: [" + "echo," * 1000 + "]}" + ", *a" * 5000 + "]}]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_rejected_in_bounded_time(text: str) -> None:
    """The suite's timeout is what would notice."""
    document = load(text)
    assert 0 < len([*document.problems, *document.located(check(document.config, {}))]) < 2500
