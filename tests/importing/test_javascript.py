"""Regular expressions of JavaScript as RE2: they match what Node.js says that JavaScript's match."""

import json
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.patterns import compiler
from answerback.importing.javascript import translate
from answerback.importing.re2 import NoEquivalent, has_case, literal
from tests.language.strategies import few

# An expression, whether case is ignored, texts in which JavaScript finds it, and texts in which it does not.
CASES = [
    ("^GET (.*)$", False, ["GET /", "GET "], ["get /", "GET /\r", "GET /\n", "xGET /"]),
    ("^GET .*$", True, ["get /x", "Get "], ["GET /\r\n"]),
    ("a.c", False, ["abc", "a\x00c", "xa c"], ["a\nc", "a\rc", "ac"]),
    (r"^\s+$", False, [" \t\r\n\v\f"], ["", "x", " x"]),
    (r"^\S$", False, ["x", "\x00"], ["\v", " "]),
    (r"^[\S]$", False, ["x", "\x7f"], ["\v", "\n"]),
    (r"^[^\s]$", False, ["x"], ["\v", " "]),
    (r"^[\s\S]{3}$", False, ["a\nb", "\v\v\v"], ["ab"]),
    (r"^\d{2,3}$", False, ["12", "123"], ["1", "1234", "a12"]),
    (r"^[\w-.]+$", False, ["a-b.c_9"], ["a b", "a/b"]),
    ("[]", False, [], ["", "a", "\x00"]),
    ("^[^]$", False, ["\n", "x"], ["", "ab"]),
    ("é+", False, ["é", "xéé"], ["e", "É"]),
    ("é", True, ["É", "é"], ["e", "ã"]),
    ("^[éa-c]{2}$", True, ["Éb", "CA"], ["ée", "é"]),
    ("é", True, [], ["\u00e3\u00a9"]),
    (r"\u00e9\x41", False, ["éA"], ["éa"]),
    (r"\ud83d\ude00", False, ["😀"], ["😁"]),
    (r"a\/b", False, ["a/b"], ["ab"]),
    (r"\bcat\b", False, ["a cat!"], ["concat", "cats"]),
    (r"^a{,3}$", False, ["a{,3}"], ["aaa"]),
    (r"x{", False, ["x{"], ["x"]),
    (r"^]}$", False, ["]}"], ["}"]),
    (r"\cJ", False, ["\n"], ["J"]),
    (r"[\b]", False, ["\x08"], ["b"]),
    (r"\\d", True, ["\\D", "\\d"], ["1"]),
    (r"a|^b$", False, ["xa", "b"], ["xb"]),
    (r"^(?<word>\w+) (?:x|y)+?$", False, ["ab xyx"], ["ab"]),
    ("^[[:a]+$", False, ["[:a"], ["x"]),
    (r"^\0$", False, ["\0"], ["0"]),
    (r"^[a\-z]$", False, ["-", "a"], ["b"]),
    ("ß", True, ["ß"], ["SS", "ss"]),
    ("s", True, ["S"], ["\u017f"]),
    ("", False, ["", "x"], []),
]
REJECTED = [
    ("(?=a)", "RE2 has no look-around", 1),
    ("a(?!b)", "RE2 has no look-around", 2),
    ("(?<=a)b", "RE2 has no look-around", 1),
    ("(?<!a)b", "RE2 has no look-around", 1),
    (r"(a)\1", "RE2 has no backreferences", 4),
    (r"(?<x>a)\k<x>", "RE2 has no backreferences", 8),
    (r"\p{L}", "without the flag u", 1),
    ("(a", "( without its )", 1),
    ("a)", ") without its (", 2),
    ("[a", "[ without its ]", 1),
    ("*a", "nothing to repeat before *", 1),
    ("a**", "nothing to repeat before *", 3),
    ("a|+", "nothing to repeat before +", 3),
    ("a\\", "a \\ at the end", 2),
    ("[z-a]", "the range z-a is out of order", 2),
    ("[^é]", "a class cannot exclude", 1),
    ("[à-ÿ]", "a range of characters outside ASCII", 2),
    ("(?i:a)", "no equivalent for (?i", 1),
]


def found(source: str, text: str, *, ignore_case: bool = False) -> bool:
    pattern = translate(source, ignore_case=ignore_case).pattern
    assert pattern.isascii()
    return compiler().compile(pattern, False).search(text.encode()) is not None


@pytest.mark.parametrize("source, ignore_case, where, elsewhere", CASES)
def test_expression_matches_where_javascript_matches(
    source: str, ignore_case: bool, where: list[str], elsewhere: list[str]
) -> None:
    assert [found(source, text, ignore_case=ignore_case) for text in where] == [True] * len(where)
    assert [found(source, text, ignore_case=ignore_case) for text in elsewhere] == [False] * len(elsewhere)


@pytest.mark.programs
def test_expectations_of_the_cases_are_those_of_node() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    script = "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(([s, f, t]) => new RegExp(s, f).test(t))))"
    asked = [
        (source, "i" * ignore_case, text, expected)
        for source, ignore_case, where, elsewhere in CASES
        for texts, expected in ((where, True), (elsewhere, False))
        for text in texts
    ]
    said = subprocess.run(
        [node, "-e", script, json.dumps([each[:3] for each in asked])], capture_output=True, check=True
    )
    wrong = [each for each, answer in zip(asked, json.loads(said.stdout), strict=True) if answer != each[3]]
    assert wrong == []


@pytest.mark.parametrize("source, message, character", REJECTED)
def test_expression_without_an_equivalent_is_rejected_with_its_place(source: str, message: str, character: int) -> None:
    with pytest.raises(NoEquivalent) as caught:
        translate(source)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(f"(at character {character})")


def test_long_expression_is_rejected() -> None:
    assert translate("a" * 16_384).pattern
    with pytest.raises(NoEquivalent, match="longer than 16384 characters"):
        translate("a" * 16_385)


def test_groups_capture_only_under_a_prefix() -> None:
    assert translate("(a)(?:b)(?<c>d)").pattern == "(?:a)(?:b)(?:d)"
    named = translate("(a)(?:b)(?<c>d)", prefix="x")
    assert (named.pattern, named.groups) == ("(?P<x_1>a)(?:b)(?P<x_2>d)", 2)
    assert translate("(a)", prefix="x", ignore_case=True).captured("x_0") == "(?i)(?P<x_0>(?P<x_1>a))"


def test_flag_for_case_is_only_there_for_letters() -> None:
    assert translate(r"^\d\w\n.[\s]$", ignore_case=True).pattern.startswith("^")
    for source in ("a", r"\x41", r"\\d", "[b-c]", r"\cA"):
        assert translate(source, ignore_case=True).pattern.startswith("(?i)"), source


@few
@given(st.text(alphabet="aAé[](){}*+?.\\^$|-dwsSb0\n,1:<=!", max_size=12), st.text(alphabet="aAbé1 \n-", max_size=6))
def test_any_text_is_an_expression_for_re2_or_rejected(source: str, text: str) -> None:
    try:
        pattern = translate(source).pattern
    except NoEquivalent:
        return
    compiler().compile(pattern, False).search(text.encode())


@few
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=8), st.booleans())
def test_literal_matches_its_text_and_nothing_longer(text: str, ignore_case: bool) -> None:
    pattern = compiler().compile(f"^{literal(text, ignore_case=ignore_case)}$", False)
    assert pattern.search(text.encode())
    assert not pattern.search(text.encode() + b"x")


def test_only_characters_outside_ascii_with_another_case_have_one() -> None:
    assert [has_case(text) for text in ("abc", "é", "ÿ", "日本", "ß", "😀", "aЖ")] == [
        False, True, True, False, False, False, True,
    ]  # fmt: skip
