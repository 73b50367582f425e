import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.document import yaml_tree as nodes
from answerback.document.yaml_tree import Fields, Items, Node, Scalar, Unreadable, compose


def plain(node: Node | None) -> object:
    """The tree without its places."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {plain(key): plain(value) for key, value in node.entries} if isinstance(node, Fields) else None


def why(text: str) -> str:
    with pytest.raises(Unreadable) as caught:
        compose(text)
    return str(caught.value.problem)


def test_scalar_is_kept_as_written() -> None:
    assert plain(compose("[on, no, 0x10, 1.10, ~, 'a', \"\\x41\", 00]")) == [
        "on",
        "no",
        "0x10",
        "1.10",
        "~",
        "a",
        "A",
        "00",
    ]


def test_quoted_or_tagged_scalar_is_text() -> None:
    tree = compose("[1, '1', !!str 1, ! 1, !!int 1]")
    assert isinstance(tree, Items)
    assert [item.plain for item in tree.items if isinstance(item, Scalar)] == [True, False, False, False, True]


def test_lines_and_columns_are_counted_from_1() -> None:
    tree = compose("a: 1\né: [x,\n  y]\n")
    assert isinstance(tree, Fields)
    value = tree.get("é")
    assert isinstance(value, Items)
    assert (value.line, value.column) == (2, 4)
    assert [(item.line, item.column) for item in value.items] == [(2, 5), (3, 3)]


def test_duplicate_keys_are_kept_in_the_tree() -> None:
    tree = compose("{a: 1, a: 2}")
    assert isinstance(tree, Fields)
    assert len(tree.entries) == 2


@pytest.mark.parametrize("text", ["", "# a comment\n"])
def test_yaml_without_document_composes_to_none(text: str) -> None:
    assert compose(text) is None


def test_second_yaml_document_is_rejected() -> None:
    assert why("a: 1\n---\nb: 2\n") == "2:1: a second YAML document begins here; a configuration is one document"


NOT_YAML = {
    "a: [1": "2:1: not YAML: did not find expected ',' or ']', while parsing a flow sequence",
    "a: b: c": (
        "1:5: not YAML: mapping values are not allowed in this context: "
        "write a: [b: c] for a list, or a: {b: c} for fields"
    ),
    "rules:\n- when: x\n  do: send: hi \n": (
        "3:11: not YAML: mapping values are not allowed in this context: "
        "write do: [send: hi] for a list, or do: {send: hi} for fields"
    ),
    "a: b: c: d": "1:5: not YAML: mapping values are not allowed in this context",
    "a: 'b': c": "1:7: not YAML: mapping values are not allowed in this context",
    "\tx": "1:1: not YAML: found character that cannot start any token, while scanning for the next token",
    "é: 'x\x07'": "1:6: not YAML: control characters are not allowed (U+0007); in double quotes, write an escape",
    "a: *b": "1:4: the anchor 'b' is not defined above",
    "&a [*a]": "1:5: the anchor 'a' contains itself",
    "a: !!python/object:os.system x": "1:4: the tag 'tag:yaml.org,2002:python/object:os.system' is not supported",
    "a: !secret x": "1:4: the tag '!secret' is not supported",
    "!secret {a: x}": "1:1: the tag '!secret' is not supported",
}


@pytest.mark.parametrize("text, said", NOT_YAML.items())
def test_text_that_is_not_yaml_is_one_problem(text: str, said: str) -> None:
    assert why(text) == said


def test_yaml_alias_equals_its_anchor() -> None:
    assert plain(compose("[&a {b: 1}, *a, *a]")) == [{"b": "1"}] * 3


def test_aliases_of_aliases_are_counted_at_each_use() -> None:
    laughs = "\n".join(
        ["a0: &a0 [lol, lol, lol]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
    )
    assert "too many values, counting each use of an anchor" in why(laughs)


def test_alias_of_a_long_text_is_counted_by_its_length() -> None:
    assert "too many values" in why(f"[&a {'x' * 100_000}{', *a' * 200}]")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "{" * 100_000])
def test_deep_nesting_is_rejected(text: str) -> None:
    assert "nested too deep" in why(text)


def test_depth_of_an_alias_counts_where_it_is_used() -> None:
    half = nodes.MAX_DEPTH // 2 + 2
    deep = "[" * half + "]" * half
    assert "nested too deep" in why(f"[&a {deep}, {'[' * half}*a{']' * half}]")


def test_mapping_with_too_many_fields_is_rejected() -> None:
    assert why("\n".join(f"a{n}: 1" for n in range(300))) == "257:1: too many fields in one mapping"


def test_too_many_values_are_rejected() -> None:
    assert "too many values" in why("[&a [" + "1," * 10_000 + "]," + "*a," * 100 + "]")


odd = '\x7f\x85\x9f\u2028\u2029\ufeff\ufffe\uffff😀\\"\nud8a'
json_values = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"])) | st.text(odd),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


def libyaml_takes(text: str) -> bool:
    """All JSON but keys longer than 1024 characters (YAML 1.2, 7.4.2)."""
    return max(map(len, text.split('"')), default=0) < 1000


@given(json_values.filter(lambda value: not isinstance(value, str)), st.booleans(), st.sampled_from([None, 2, "\t"]))
def test_json_composes_as_yaml(value: object, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    if libyaml_takes(text):
        assert plain(compose(text)) == value


def test_surrogate_pair_is_a_character_only_in_json() -> None:
    assert plain(compose('{"a": "\\ud83d\\ude00", "b": "\\\\ud83d"}')) == {"a": "😀", "b": "\\ud83d"}
    assert "invalid Unicode" in why('a: "\\ud83d\\ude00"')


def test_yaml_nesting_is_bounded() -> None:
    deepest = "[" * nodes.MAX_DEPTH + "]" * nodes.MAX_DEPTH
    assert compose(deepest) is not None
    assert sys.getrecursionlimit() > nodes.MAX_DEPTH * 4
