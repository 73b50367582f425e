"""Predicates of mountebank as conditions: the imported stub answers the requests that mountebank's would."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.explaining import sent
from tests.importing.mountebank.evaluation import satisfied
from tests.importing.mountebank.importing import complete, conversation, imported, imposter, notes, stub

DATA = st.text(alphabet="aAbÉé1 \r\n", max_size=4)
PATTERNS = st.sampled_from(["^a", "A$", "[ab]+1", "a|é", r"\s", r"^\w{2}$", "(b)(a)", "É", r"\n$", "[^a]1"])
FLAGS = st.fixed_dictionaries({}, optional={"caseSensitive": st.booleans()})


def compared(operator: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = st.fixed_dictionaries({}, optional={"data": values})
    return st.builds(lambda given, flags: {operator: given} | flags, fields, FLAGS)


WORDS = ("equals", "deepEquals", "contains", "startsWith", "endsWith")
LEAVES = st.one_of(
    *(compared(operator, DATA) for operator in WORDS), compared("matches", PATTERNS), compared("exists", st.booleans())
)
PREDICATES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda each: {"and": each}, st.lists(inner, max_size=3)),
        st.builds(lambda each: {"or": each}, st.lists(inner, max_size=3)),
        st.builds(lambda each: {"not": each}, inner),
    ),
    max_leaves=5,
)


def answers(predicates: list[dict[str, Any]], requests: list[bytes], **fields: Any) -> list[bytes]:
    """What an imposter with one stub answers to each request: `yes`, or `no` where the stub does not match."""
    yes, no = ("eWVz", "bm8=") if fields.get("mode") == "binary" else ("yes", "no")
    outcome = complete(imposter(stub(*predicates, data=yes), defaultResponse={"data": no}, **fields))
    return [data for _, data in sent(conversation(outcome, requests))]


def expected(*truths: bool) -> list[bytes]:
    return [b"yes" if truth else b"no" for truth in truths]


@settings(max_examples=150)
@given(st.lists(PREDICATES, max_size=2), st.lists(DATA.filter(bool), min_size=1, max_size=4))
def test_imported_predicates_match_what_mountebank_documents(
    predicates: list[dict[str, Any]], requests: list[str]
) -> None:
    found = answers(predicates, [each.encode() for each in requests])
    assert found == expected(*(satisfied(predicates, each) for each in requests))


@settings(max_examples=50)
@given(compared("equals", DATA) | compared("contains", DATA) | compared("startsWith", DATA), DATA.filter(bool))
def test_imported_predicates_in_binary_mode_match_the_bytes(predicate: dict[str, Any], request_text: str) -> None:
    ((operator, given_fields),) = ((name, value) for name, value in predicate.items() if name != "caseSensitive")
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in given_fields.items()}
    found = answers([predicate | {operator: encoded}], [request_text.encode()], mode="binary")
    assert found == expected(satisfied([predicate], request_text))


def test_bytes_that_are_no_text_are_compared_as_they_are() -> None:
    binary = base64.b64encode(b"\xff\x00A").decode()
    assert answers([{"equals": {"data": binary}}], [b"\xff\x00a", b"\xfe\x00A"], mode="binary") == expected(True, False)
    sensitive = {"startsWith": {"data": binary}, "caseSensitive": True}
    assert answers([sensitive], [b"\xff\x00A!", b"\xff\x00a"], mode="binary") == expected(True, False)


def test_base64_is_read_as_node_reads_it() -> None:
    for written in ("_-8", "/+8=", "/+\n8=", "/+8=AAAA"):
        assert answers([{"equals": {"data": written}}], [b"\xff\xef"], mode="binary") == expected(True), written


def test_case_of_letters_is_ignored_unless_the_predicate_says_otherwise() -> None:
    requests = [b"PING", b"ping"]
    assert answers([{"equals": {"data": "Ping"}}], requests) == expected(True, True)
    assert answers([{"equals": {"data": "PING"}, "caseSensitive": True}], requests) == expected(True, False)
    assert answers([{"contains": {"data": "É"}}], ["é".encode(), b"e"]) == expected(True, False)


@pytest.mark.parametrize(
    "operator, truths",
    [
        ("equals", (True, False, False, False)),
        ("contains", (True, True, True, True)),
        ("startsWith", (True, True, False, False)),
        ("endsWith", (True, False, True, False)),
    ],
)
def test_letters_outside_ascii_are_compared_where_the_operator_says(operator: str, truths: tuple[bool, ...]) -> None:
    requests = [text.encode() for text in ("É", "éa", "aé", "aéa")]
    assert answers([{operator: {"data": "é"}}], requests) == expected(*truths)


def test_names_of_fields_ignore_case_where_values_do() -> None:
    assert answers([{"equals": {"DATA": "a"}}], [b"a", b"b"]) == expected(True, False)
    outcome = imported(imposter(stub({"equals": {"DATA": "a"}, "caseSensitive": True})))
    assert "a TCP request of mountebank has no field 'DATA'" in notes(outcome)[0]
    lenient = {"equals": {"DATA": "a"}, "caseSensitive": True, "keyCaseSensitive": False}
    assert answers([lenient], [b"a", b"A"]) == expected(True, False)


def test_numbers_and_booleans_are_compared_as_text() -> None:
    assert answers([{"equals": {"data": 42}}, {"contains": {"data": 4}}], [b"42", b"43"]) == expected(True, False)
    assert answers([{"startsWith": {"data": True}}], [b"trUE!", b"1"]) == expected(True, False)


def test_address_of_the_client_is_compared_with_or_without_its_ipv6_form() -> None:
    for address in ("192.0.2.7", "::ffff:192.0.2.7"):
        assert answers([{"equals": {"ip": address, "data": "a"}}], [b"a", b"b"]) == expected(True, False)
    assert answers([{"equals": {"ip": "192.0.2.8"}}], [b"a"]) == expected(False)
    assert answers([{"exists": {"requestFrom": True, "ip": True}}], [b"a"]) == expected(True)
    assert answers([{"exists": {"requestFrom": False}}], [b"a"]) == expected(False)


IGNORED = st.sampled_from(["a", "b1", "^A", "1$", "é", r"\d", "[ab]+", r"[^a]", r"\s+", "1 ", r"^\n", "[A1]*"])


@st.composite
def with_ignored(draw: st.DrawFn) -> dict[str, Any]:
    """A predicate with `except`, of a kind that has an equivalent."""
    source = draw(IGNORED)
    one_class = source[0] in "[\\"
    operators = st.sampled_from((*WORDS, "exists") if one_class else (*WORDS, "exists", "matches"))
    operator = draw(operators)
    values: Any = {"exists": st.booleans(), "matches": PATTERNS}.get(operator, DATA)
    flags = draw(FLAGS) if source != "é" else {"caseSensitive": True}
    value = draw(values)
    if isinstance(value, str) and not value.isascii() and not one_class and operator != "matches":
        flags = {"caseSensitive": True}
    return {operator: {"data": value}, "except": source} | flags


@settings(max_examples=200)
@given(with_ignored(), st.lists(DATA.filter(bool), min_size=1, max_size=4))
def test_what_is_ignored_is_removed_before_requests_are_compared(
    predicate: dict[str, Any], requests: list[str]
) -> None:
    found = answers([predicate], [each.encode() for each in requests])
    assert found == expected(*(satisfied([predicate], each) for each in requests))


def test_text_at_one_end_is_only_ignored_there() -> None:
    requests = [b"Hello!", b"hello", b"hello!!", b"!hello"]
    assert answers([{"equals": {"data": "hello"}, "except": "!$"}], requests) == expected(True, True, False, False)
    requests = [b"The cat", b"cat", b"the the cat", b"cat the "]
    assert answers([{"equals": {"data": "cat"}, "except": "^The "}], requests) == expected(True, True, False, False)


def test_what_matches_ignores_is_removed_with_regard_to_case() -> None:
    assert answers([{"matches": {"data": "a"}, "except": "a"}], [b"A", b"a"]) == expected(True, False)
    assert answers([{"equals": {"data": ""}, "except": "a"}], [b"A", b"a"]) == expected(True, True)


def test_escaped_text_is_ignored_as_it_is() -> None:
    requests = [b"a.b", b"axb", b"a\nb"]
    assert answers([{"equals": {"data": "ab"}, "except": r"\."}], requests) == expected(True, False, False)
    assert answers([{"equals": {"data": "ab"}, "except": r"\n"}], requests) == expected(False, False, True)


WITHOUT_EQUIVALENT = [
    ({"equals": {"data": "a"}, "except": "a|b"}, "[0].except", "no equivalent: only a text"),
    ({"equals": {"data": "a"}, "except": "^a$"}, "[0].except", "no equivalent: only a text"),
    ({"equals": {"data": "a"}, "except": "[é]"}, "[0].except", "no equivalent: only a text"),
    ({"equals": {"data": "a"}, "except": "[^é]"}, "[0].except", "a class cannot exclude"),
    ({"equals": {"data": "a"}, "except": "é"}, "[0].except", "no equivalent for letters outside ASCII"),
    ({"equals": {"data": "é"}, "except": "a"}, "[0].equals.data", "no equivalent for letters outside ASCII"),
    ({"matches": {"data": "a"}, "except": "[a]"}, "[0].matches.data", "no equivalent with `matches`"),
    ({"equals": {"ip": "1.2.3.4"}, "except": "a"}, "[0].equals.ip", "no equivalent: write `when: {peer: ADDRESS}`"),
    ({"inject": "config => true"}, "[0].inject", "JavaScript has no equivalent: write the condition"),
    ({"equals": {"data": {"a": 1}}}, "[0].equals.data", "the request as JSON has no equivalent"),
    ({"equals": {"data": ["a"]}}, "[0].equals.data", "the request as JSON has no equivalent"),
    ({"equals": {"data": None}}, "[0].equals.data", "true or false is expected, not null"),
    ({"equals": {"body": "a"}}, "[0].equals.body", "a TCP request of mountebank has no field 'body'"),
    ({"equals": {"data": "a"}, "jsonpath": {"selector": "$.a"}}, "[0].jsonpath", "no equivalent: write `when: {expr:"),
    ({"equals": {"data": "a"}, "xpath": {"selector": "//a"}}, "[0].xpath", "no equivalent: write a pattern"),
    ({"matches": {"data": "(?=a)"}}, "[0].matches.data", "RE2 has no look-around"),
    ({"contains": {"ip": "1"}}, "[0].contains.ip", "no equivalent: write `when: {peer: ADDRESS}`"),
    ({"equals": {"requestFrom": "a:1"}}, "[0].equals.requestFrom", "no equivalent: write `when: {peer: ADDRESS}`"),
    ({"endsWith": {"data": 5}}, "[0].endsWith.data", "mountebank needs text here"),
    ({}, "[0]", "no predicate of mountebank"),
    ({"equals": {"data": "a"}, "contains": {"data": "b"}}, "[0].contains", "mountebank ignores this beside equals"),
    ({"equals": "a"}, "[0].equals", "an object is expected, not 'a'"),
    ({"and": {"equals": {}}}, "[0].and", "an array is expected, not an object"),
    ({"or": [{"equals": {"data": "a"}}, {"inject": "f"}]}, "[0].or[1].inject", "JavaScript has no equivalent"),
    ({"not": {"matches": {"data": r"(a)\1"}}}, "[0].not.matches.data", "RE2 has no backreferences"),
    ({"equals": {"data": "a"}, "caseSensitive": "yes"}, "[0].caseSensitive", "true or false is expected, not 'yes'"),
]


@pytest.mark.parametrize("predicate, path, message", WITHOUT_EQUIVALENT)
def test_predicate_without_an_equivalent_leaves_out_its_stub_and_is_noted(
    predicate: dict[str, Any], path: str, message: str
) -> None:
    outcome = imported(imposter(stub(predicate), stub({"equals": {"data": "a"}})))
    (note,) = notes(outcome)
    assert note.startswith(f"imposters[0].stubs[0].predicates{path}: the stub is left out: {message}")
    assert outcome.notes[0].line is not None
    assert [rule.name for rule in outcome.config.listeners[0].rules] == ["stub-1"]


def test_matches_in_binary_mode_is_noted() -> None:
    (note,) = notes(imported(imposter(stub({"matches": {"data": "YQ=="}}), mode="binary")))
    assert "mountebank rejects `matches` in binary mode" in note


def test_pattern_that_re2_rejects_leaves_out_its_stub_with_the_reason() -> None:
    outcome = imported(imposter(stub({"equals": {"data": "a"}}), stub({"matches": {"data": "a{1001}"}}), stub()))
    (note,) = notes(outcome)
    assert note.startswith("imposters[0].stubs[1]: left out: when.regex: ")
    assert [rule.name for rule in outcome.config.listeners[0].rules] == ["stub-0", "stub-2"]


def test_predicates_nested_too_deep_are_left_out() -> None:
    predicate: dict[str, Any] = {"equals": {"data": "a"}}
    for _ in range(30):
        predicate = {"not": predicate}
    assert answers([predicate], [b"a", b"b"]) == expected(True, False)
    for _ in range(20):
        predicate = {"not": predicate}
    (note,) = notes(imported(imposter(stub(predicate), stub())))
    assert "conditions can be nested at most 32 deep" in note
