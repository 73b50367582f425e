import pytest

from answerback.core.expressions import EvaluationError
from answerback.core.expressions.functions.searching import json_value, path_of

TEXT = b'{"a": [1, {"b": "x\\u00e9\\n", "c": null}], "d": {"e f": 1.50, "g": true}, "": 0, "n": -12}'


@pytest.mark.parametrize(
    "path, value",
    [
        ("a[0]", b"1"),
        ("a[1].b", "xé\n".encode()),
        ("a[1].c", b"null"),
        ("a[1]", '{"b":"xé\\n","c":null}'.encode()),
        ("d.e f", b"1.5"),
        ("d.g", b"true"),
        ("n", b"-12"),
    ],
)
def test_value_at_a_path_is_text_or_compact_json(path: str, value: bytes) -> None:
    assert json_value(path_of(path))(TEXT) == value


def test_path_may_begin_with_an_index_and_may_be_empty() -> None:
    assert json_value(path_of("[1][0]"))(b"[0, [7]]") == b"7"
    assert json_value(path_of(""))(b' "a" ') == b"a"


@pytest.mark.parametrize(
    "path, text, why",
    [
        ("a.b", TEXT, "there is no 'b' in a value that has no such members"),
        ("a[2]", TEXT, "there is no such index"),
        ("d[0]", TEXT, "there is no 0 in a value that has no such members"),
        ("x", TEXT, "there is no 'x'"),
        ("n.a", TEXT, "there is no 'a' in a value that has no such members"),
        ("a", b'{"a": NaN}', "not JSON"),
        ("b", b'{"a": NaN, "b": 1}', "not JSON"),
        ("a", b'{"a": [Infinity]}', "not JSON"),
        ("a", b'{"a": 1e999}', "not JSON"),
        ("a", b'{"a": "\\ud800"}', "not JSON"),
        ("a", b"{", "not JSON"),
        ("a", b"", "not JSON"),
        ("a", b"\xff", "not JSON"),
        ("[0]", b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        ("[0]", b"9" * 5000, "not JSON"),
    ],
)
def test_text_without_the_value_fails(path: str, text: bytes, why: str) -> None:
    with pytest.raises(EvaluationError) as problem:
        json_value(path_of(path))(text)
    assert str(problem.value) == f"json: {why}"


@pytest.mark.parametrize("path", ["a..b", ".a", "a[", "a[x]", "a[-1]", "a[1]b", "a]", "."])
def test_invalid_path_is_rejected(path: str) -> None:
    with pytest.raises(ValueError, match="not a path: names, separated by dots, and indexes"):
        path_of(path)
