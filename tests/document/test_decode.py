"""Decoding YAML to a message, or to problems."""

import json

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from answerback.document import decode as reading
from answerback.document import schema
from answerback.document.document import load
from answerback.document.yaml_tree import compose
from answerback.language.parts import TOO_MANY
from answerback.language.problems import Problems
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener, rule


def when(text: str) -> v1.Match:
    return rule(f"when: {text}").listeners[0].rules[0].when


def steps(text: str) -> list[v1.Step]:
    return list(rule(f"do: {text}").listeners[0].rules[0].do)


def framing(text: str) -> v1.Framing:
    return listener(framing=text).listeners[0].framing


def problems(**fields: str) -> list[str]:
    """What is wrong with a listener's fields; the path is that within the listener."""
    lines = "".join(f"\n  {name}: {value}" for name, value in fields.items())
    found = load(f"listeners:\n- name: it{lines}").problems
    return [f"{each.path.removeprefix('listeners[0].')}: {each.message}" for each in found]


def test_document_with_too_many_parts_is_rejected_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "listeners:\n- {name: a, address: '127.0.0.1:0'}\n- {name: b, address: '127.0.0.1:0'}\n"
    monkeypatch.setattr(reading, "MAX_PARTS", 6)  # two listeners with two fields each
    assert load(text).problems == ()
    monkeypatch.setattr(reading, "MAX_PARTS", 4)
    assert [(each.path, each.message) for each in load(text).problems] == [("listeners[1].name", TOO_MANY)]


# ── Shorthand ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_scalar_sets_the_shorthand_field_of_nested_messages() -> None:
    assert when("PING") == when("{equals: PING}") == when("{equals: {text: PING}}")
    assert steps("[send: hi, delay: 300ms]") == [
        v1.Step(send=v1.Payload(text="hi")),
        v1.Step(delay=v1.Delay(fixed=Duration(nanos=300_000_000))),
    ]


def test_bare_list_for_any_match_is_accepted() -> None:
    assert when("{any: [a, {prefix: b}]}") == when("{any: {of: [{equals: {text: a}}, {prefix: {text: b}}]}}")


def test_list_without_a_field_is_a_script() -> None:
    assert rule("replies: {of: [[echo, close], []]}") == rule("replies: {of: [{do: [echo, close]}, {}]}")


def test_text_in_place_of_a_delimiter_is_its_end() -> None:
    assert framing('{delimiter: "\\r\\n"}') == framing('{delimiter: {end: {text: "\\r\\n"}}}')


def test_word_alone_selects_a_member_without_content() -> None:
    assert framing("line") == v1.Framing(line=v1.Framing.Line())
    assert framing("read") == v1.Framing(read=v1.Framing.Read())
    assert framing("{line: {}}") == framing("{line: }") == framing("line")
    assert steps("[echo, discard, close, reset]") == steps("[{echo: {}}, {discard: }, {close: {}}, {reset: {}}]")


def test_words_of_a_oneof_are_its_members_that_may_be_empty() -> None:
    assert schema.words(v1.Step.DESCRIPTOR)[:3] == ["echo", "discard", "close"]  # not `send`, which needs bytes
    assert schema.words(v1.Framing.DESCRIPTOR)[:3] == ["read", "line", "until_eof"]
    assert schema.words(v1.Match.DESCRIPTOR) == []


NOT_WORDS = {
    "lines": "framing: no such word: 'lines'; did you mean line?",
    "Line": "framing: no such word: 'Line'; did you mean line?",
    "zebra": f"framing: no such word: 'zebra'; known: {', '.join(schema.words(v1.Framing.DESCRIPTOR))}",
    "pattern": "framing: pattern needs a value: write {pattern: …}",
    "fixed": "framing: fixed needs a value: write {fixed: …}",
    "": "framing: no value",
    "[line]": "framing: a mapping with fields is expected, not a list",
}


@pytest.mark.parametrize("text, said", NOT_WORDS.items())
def test_framing_word_unknown_or_without_value_is_rejected(text: str, said: str) -> None:
    assert problems(framing=text) == [said]


def test_word_that_needs_content_is_rejected_when_alone() -> None:
    assert problems(rules="[{do: [send, {delay: }, {}]}]") == [
        "rules[0].do[0]: send needs a value: write {send: …}",
        "rules[0].do[1].delay: no value",
    ]


# ── Enums ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["CONNECT", "connect", "Connect", "EVENT_CONNECT", "event_connect", '"CONNECT"'])
def test_enum_is_accepted_by_short_or_full_name_in_any_case(word: str) -> None:
    assert rule(f"event: {word}").listeners[0].rules[0].event == v1.EVENT_CONNECT


EVENTS = ("REQUEST", "CONNECT", "IDLE", "EOF", "DRAIN", "TICK", "LIMIT", "UPSTREAM_DOWN", "REPLY")


@pytest.mark.parametrize("word", ["EVENT_UNSPECIFIED", "UNSPECIFIED", "2", "on"])
def test_enum_value_unspecified_or_number_is_rejected(word: str) -> None:
    assert problems(rules=f"[event: {word}]") == [
        f"rules[0].event: no such word: {word!r}; known: {', '.join(EVENTS)}",
    ]


def test_misspelt_enum_value_gets_a_suggestion() -> None:
    assert problems(engine="corutine") == ["engine: no such word: 'corutine'; did you mean COROUTINE?"]


# ── Scalars ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["on", "no", "yes", "true", "00", "1.10", "0x1F", "'~'", '""', "null-like"])
def test_unquoted_scalar_is_decoded_as_text(text: str) -> None:
    assert when(text).equals.text == text.strip("'\"")


@pytest.mark.parametrize("text, value", [("0", 0), ("4294967295", 4294967295), ("0x10", 16), ("0o17", 15)])
def test_integer_field_is_decoded(text: str, value: int) -> None:
    limits = listener(limits=f"{{max_connections: {text}}}").listeners[0].limits
    assert limits.HasField("max_connections")
    assert limits.max_connections == value


NO_NUMBERS = {
    "4294967296": "must be 0 to 4294967295, not 4294967296",
    "-1": "must be 0 to 4294967295, not -1",
    "1.0": "a whole number is expected, not '1.0'",
    "1e3": "a whole number is expected, not '1e3'",
    "1_000": "a whole number is expected, not '1_000'",
    "017": "a whole number is expected, not '017'",
    "'5'": "a whole number is expected, not '5' in quotes",
    "many": "a whole number is expected, not 'many'",
    "true": "a whole number is expected, not 'true'",
    "": "a single value is expected, not nothing",
    "[1]": "a single value is expected, not a list",
    "{a: 1}": "a single value is expected, not a mapping",
    "9" * 5000: "a whole number is expected, not '" + "9" * 59 + "…'",
}


@pytest.mark.parametrize("text, said", NO_NUMBERS.items())
def test_value_that_is_no_integer_is_rejected(text: str, said: str) -> None:
    assert problems(limits=f"{{max_connections: {text}}}") == [f"limits.max_connections: {said}"]


@pytest.mark.parametrize("text, value", [("true", True), ("True", True), ("FALSE", False)])
def test_boolean_field_is_decoded(text: str, value: bool) -> None:
    assert framing(f"{{line: {{keep_ending: {text}}}}}").line.keep_ending is value


NO_BOOLEANS = {
    "on": "true or false is expected, not 'on'; write true",
    "No": "true or false is expected, not 'No'; write false",
    "'true'": "true or false is expected, not 'true'; write true",
    "1": "true or false is expected, not '1'",
}


@pytest.mark.parametrize("text, said", NO_BOOLEANS.items())
def test_value_that_is_no_boolean_is_rejected(text: str, said: str) -> None:
    assert problems(framing=f"{{line: {{keep_ending: {text}}}}}") == [f"framing.line.keep_ending: {said}"]


@pytest.mark.parametrize(
    "text, value", [("0", 0.0), ("3", 3.0), ("0.25", 0.25), ("1e3", 1000.0), ("2.5E-3", 0.0025), ("-1", -1.0)]
)
def test_float_field_is_decoded(text: str, value: float) -> None:
    assert list(rule(f"replies: {{of: [[]], weights: [{text}]}}").listeners[0].rules[0].replies.weights) == [value]


NOT_EVEN_NUMBERS = {
    "half": "a number is expected, not 'half'",
    "'1'": "a number is expected, not '1' in quotes",
    ".inf": "a number is expected, not '.inf'",
    "nan": "a number is expected, not 'nan'",
    "1e999": "'1e999' is too large",
    "[1]": "a single value is expected, not a list",
}


@pytest.mark.parametrize("text, said", NOT_EVEN_NUMBERS.items())
def test_weight_that_is_no_number_is_rejected(text: str, said: str) -> None:
    assert problems(rules=f"[{{replies: {{weights: [{text}]}}}}]") == [f"rules[0].replies.weights[0]: {said}"]


def test_duration_field_is_decoded() -> None:
    limits = listener(limits="{idle_timeout: 1m30s, lifetime: 0}").listeners[0].limits
    assert limits.idle_timeout == Duration(seconds=90)
    assert limits.HasField("lifetime")


def test_value_that_is_no_duration_is_rejected() -> None:
    assert problems(limits="{idle_timeout: 5, lifetime: {seconds: 5}, write_timeout: }") == [
        "limits.idle_timeout: a duration needs a unit: 5s, 5ms, not '5'",
        "limits.lifetime: a duration is expected, not a mapping",
        "limits.write_timeout: a duration is expected, not nothing",
    ]


# ── Mappings and lists ────────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_field_is_rejected_with_a_suggestion() -> None:
    assert problems(
        adress="1", limits="{idle_timout: 1s}", framing="{zebra: 1}", **{"<<": "{}", "[1]": "x", "a b": "x"}
    ) == [
        "adress: no such field; did you mean address?",
        "limits.idle_timout: no such field; did you mean idle_timeout?",
        f"framing.zebra: no such field; known: {', '.join(v1.Framing.DESCRIPTOR.fields_by_name)}",
        "listeners[0]: no such field: '<<'; YAML 1.2 has no merge keys",
        "listeners[0]: a field's name is expected, not a list",
        f"listeners[0]: no such field: 'a b'; known: {', '.join(v1.Listener.DESCRIPTOR.fields_by_name)}",
    ]


def test_field_given_twice_is_rejected() -> None:
    assert problems(address="a", limits="{lifetime: 1s, lifetime: 2s}", **{'"address"': "b"}) == [
        "limits.lifetime: given twice",
        "address: given twice",
    ]


def test_two_members_of_a_oneof_are_rejected() -> None:
    assert problems(framing="{read: {}, line: {}}", rules="[{when: {equals: a, prefix: b, suffix: c}}]") == [
        "framing.line: only one of read and line can be given",
        "rules[0].when.prefix: only one of equals and prefix can be given",
        "rules[0].when.suffix: only one of equals and suffix can be given",
    ]


@pytest.mark.parametrize(
    "written, advice",
    [
        ("{send: hi}", "[send: hi]"),
        ("{send: hi, echo: {}}", "[ ] around it, or - before it"),
        ("{send: {text: hi}}", "[ ] around it, or - before it"),
        ('{send: "a: b"}', "[ ] around it, or - before it"),
        (f"{{send: {'x' * 41}}}", "[ ] around it, or - before it"),
    ],
)
def test_single_item_in_place_of_a_list_is_shown_as_a_list(written: str, advice: str) -> None:
    found = load(f"listeners: [{{name: a, address: '127.0.0.1:1', rules: [{{do: {written}}}]}}]").problems
    assert [problem.message for problem in found] == [f"a list is expected, not a mapping: write {advice}"]


def test_mapping_or_text_in_place_of_a_list_is_rejected_with_advice() -> None:
    assert problems(rules="{do: close}") == [
        "rules: a list is expected, not a mapping: write [do: close]",
    ]
    assert problems(rules="[do: close]") == [
        "rules[0].do: a list is expected, not 'close': write [close]",
    ]


def test_list_in_place_of_text_is_rejected() -> None:
    assert problems(rules="[{when: [a], do: [send: [a]]}]") == [
        "rules[0].when.equals.text: text is expected, not a list",
        "rules[0].do[0].send.text: text is expected, not a list",
    ]


def test_empty_value_is_accepted_for_list_and_message_only() -> None:
    assert listener(rules="").listeners[0].rules == []
    assert listener(limits="").listeners[0].HasField("limits")
    assert problems(rules="[{when: , do: [~]}]", address="null") == [
        "rules[0].when: no value",
        "rules[0].do[0]: no value",
        "address: text is expected, not nothing",
    ]


def test_any_message_type_is_decoded_by_its_descriptor() -> None:
    message, problems = FieldMask(), Problems()
    node = compose("paths: [a, [b], on]")
    assert node is not None
    reading.read(node, message, problems)
    assert list(message.paths) == ["a", "on"]
    assert list(map(str, problems.found())) == ["1:12: paths[1]: text is expected, not a list"]


@pytest.mark.parametrize("text", ["hello", "[]", "5"])
def test_root_that_is_not_a_mapping_is_rejected(text: str) -> None:
    assert [problem.path for problem in load(text).problems] == [""]


def test_problems_after_the_first_have_right_indexes() -> None:
    document = load("listeners: [nonsense, {name: b, adress: x}, {name: c}]")
    assert [listener.name for listener in document.config.listeners] == ["", "b", "c"]
    assert [problem.path for problem in document.problems] == ["listeners[0]", "listeners[1].adress"]


def test_condition_nested_too_deep_is_rejected() -> None:
    deep = "{not: " * 100 + "a" + "}" * 100
    found = load(f"listeners: [{{rules: [{{when: {deep}}}]}}]").problems
    assert [problem.message for problem in found] == ["nested too deep"]


def test_json_document_decodes_as_the_same_configuration() -> None:
    text = {"listeners": [{"name": "it", "rules": [{"when": "PING", "do": [{"send": "é\r\n😀"}, "close"]}]}]}
    yaml = 'listeners: [{name: it, rules: [{when: PING, do: [{send: "é\\r\\n😀"}, close]}]}]'
    for ascii_only in (True, False):
        document = load(json.dumps(text, ensure_ascii=ascii_only))
        assert document.problems == ()
        assert document.config == load(yaml).config


def test_yaml_anchor_and_alias_give_equal_messages() -> None:
    document = load("listeners: [{name: a, rules: [&r {do: [close]}, *r]}]")
    assert document.config.listeners[0].rules[0] == document.config.listeners[0].rules[1]
