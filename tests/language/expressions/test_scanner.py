"""Literals, tokens and bounds of the text: what is read, what is rejected, and where."""

import pytest

from answerback.core.expressions import Type
from tests.core.turns import MadeUp
from tests.language.expressions.evaluating import rejected, rejected_template, rendered, value_of


@pytest.mark.parametrize(
    "text, data",
    [
        ("''", b""),
        ("'é'", "é".encode()),
        ('"it\'s"', b"it's"),
        (r"'\n\r\t\0\\\'\"\a\b\f\v'", b"\n\r\t\0\\'\"\a\b\f\v"),
        (r"'\x00\x7f\101\u00e9\U0001F600'", "\x00\x7fAé😀".encode()),
        (r"b'\x00\x80\xff\377a'", b"\x00\x80\xff\xffa"),
        (r"r'\x00\n\''", rb"\x00\n\'"),
        ("r'é'", "é".encode()),
        ("'\n\r\t\x00\x1b'", b"\n\r\t\x00\x1b"),
        ("'}$${#'", b"}$${#"),
        ("'a' + \"b\"", b"ab"),
    ],
)
def test_literal_means_its_bytes(text: str, data: bytes) -> None:
    assert value_of(text) == data
    assert rendered(f"<${{{text}}}>") == b"<" + data + b">"


def test_brace_within_a_literal_does_not_end_a_value() -> None:
    assert rendered("${'}' + \"}'\"}}") == b"}}'}"


def test_line_ends_and_tabs_between_tokens_are_spaces() -> None:
    assert value_of("\r\n len(\n\t'ab'\r\n) \n") == 2
    assert rendered("${\n1 +\n 2\n}") == b"3"


@pytest.mark.parametrize(
    "text, value",
    [("10", 10), ("0x0A", 10), ("0o12", 10), ("0b1010", 10), ("1_000", 1000), ("18446744073709551615", 2**64 - 1)],
)
def test_number_is_read_in_every_base(text: str, value: int) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    "text, position, message",
    [
        ("'a", 0, "' without its end"),
        ("len(\"a')", 4, '" without its end'),
        (r"'\q'", 1, r"'\\q' is not an escape: write r'…' for a backslash, or b'…' for bytes"),
        (r"'ab\x80'", 3, r"'\\x80' could be a byte or a character: write r'…' for a backslash, or b'…' for bytes"),
        (r"'\377'", 1, r"'\\377' could be a byte or a character: write r'…' for a backslash, or b'…' for bytes"),
        (r"'\ud800'", 1, r"'\\ud800' is not a character: write r'…' for a backslash, or b'…' for bytes"),
        (r"'\U00110000'", 1, r"'\\U00110000' is not a character: write r'…' for a backslash, or b'…' for bytes"),
        (r"b'\u00e9'", 2, r"'\\u00e9' is not an escape: write r'…' for a backslash, or b'…' for bytes"),
        (r"b'\777'", 2, r"'\\777' is more than a byte"),
        ("b'é'", 2, r"'é' is not a byte: b'…' has ASCII characters and \xNN"),
        ("'\ud800'", 1, "half of a surrogate pair is not a character"),
        ("len(\udfff)", 4, "half of a surrogate pair is not a character"),
        ("f'a'", 0, "there are no f-strings: join parts with +"),
        ("u'a'", 0, "'u' is not a prefix of a literal: there are b'…' and r'…'"),
        ("rb'a'", 0, "'rb' is not a prefix of a literal: there are b'…' and r'…'"),
        ("'a' 'b'", 4, "an operator is expected between two literals: write +"),
        ("'''a'''", 2, "an operator is expected between two literals: write +"),
        ("", 0, "empty: a value is expected"),
        (" \n", 0, "empty: a value is expected"),
        ("1 # one", 2, "there are no comments in an expression"),
        ("${1}x", 0, "there is no ${…} within an expression"),
        ("{1}", 0, "there are no sets or mappings in an expression"),
        ("1}", 1, "there is no { before this }"),
        ("a = 1", 2, "to compare, write ==; arguments have no names"),
        ("!a", 0, "write `not`, or != to compare"),
        ("2 ** 3", 2, "there is no power"),
        ("(a := 1)", 3, "there are no assignments in an expression"),
        ("1 \\\n", 2, "a backslash stands only in literals"),
        ("`a`", 0, "a literal is written '…'"),
        ("1;2", 1, "';' has no meaning in an expression"),
        ("len(request", 3, "( without its )"),
        ("request[0", 7, "[ without its ]"),
        ("request[0)", 9, "there is nothing that this ) closes"),
        ("1)", 1, "there is nothing that this ) closes"),
        ("1.5", 0, "numbers have no fraction"),
        ("1e5", 0, "'1e' is not a number: write 10, or 0x0a"),
        ("1if True else 2", 0, "'1i' is not a number: write 10, or 0x0a"),
        ("0x", 0, "'0x' is not a number: write 10, or 0x0a"),
        ("lambda: 1", 0, "there is no `lambda` in an expression"),
        ("None", 0, "there is no `None` in an expression"),
        ("1 is 1", 2, "there is no `is` in an expression"),
        ("[x for x in request]", 3, "there is no `for` in an expression"),
        ("from", 0, "from is a keyword: write captures['from']"),
        ("vars.pass", 5, "pass is a keyword: write vars['pass']"),
        ("vars.in", 5, "in is a keyword: write vars['in']"),
        ("\x00", 0, r"'\x00' has no meaning in an expression"),
        ("1\x0c", 1, r"'\x0c' has no meaning in an expression"),
    ],
)
def test_invalid_text_is_rejected_with_its_position(text: str, position: int, message: str) -> None:
    assert rejected(text, Type.INT) == (message, position)


@pytest.mark.parametrize(
    "text, position, message",
    [
        ("${", 0, "${ without its }"),
        ("ab${request", 2, "${ without its }"),
        ("${'}'", 0, "${ without its }"),
        ("é${'a}", 3, "' without its end"),
        ("$", 0, "a single $: write $$ for a dollar, ${…} for a value"),
        ("$$$ ", 2, "a single $: write $$ for a dollar, ${…} for a value"),
        ("a${}", 3, "empty: a value is expected"),
        ("${u16be(${len(request)})}", 8, "there is no ${…} within an expression"),
        ("é\n${reqest}", 4, "unknown name 'reqest'; did you mean request?"),
        ("${0}", 2, "no capture 0: they are 1 to 2"),
        ("${ 3 }", 3, "no capture 3: they are 1 to 2"),
        ("\ud800", 0, "half of a surrogate pair is not a character"),
        ("${request[4]}", 2, "one byte is an int: write request[4:5] for the byte, or str(request[4]) for digits"),
        (
            "${request[len(body)]}",
            2,
            "one byte is an int: write request[i:i + 1] for the byte, or str(request[len(body)]) for digits",
        ),
        ("${True}", 2, "a template takes bytes or an int, not a bool: write 'yes' if x else 'no'"),
    ],
)
def test_invalid_template_is_rejected_with_its_position(text: str, position: int, message: str) -> None:
    assert rejected_template(text) == (message, position)


def test_text_of_1024_bytes_is_accepted_and_a_longer_one_is_rejected() -> None:
    longest = "'" + "é" * 511 + "'"
    assert len(longest.encode()) == 1024
    assert value_of(longest) == "é".encode() * 511
    message = "more than 1024 bytes; set a variable to a part of it"
    assert rejected(longest + " ") == (message, 0)
    assert rejected("1" * 1_000_000, Type.INT) == (message, 0)
    assert rejected_template("ab${" + longest + " }") == (message, 4)
    assert rendered("${" + longest + "}") == "é".encode() * 511


def test_brackets_are_accepted_32_deep_and_rejected_33_deep() -> None:
    assert value_of("(" * 32 + "7" + ")" * 32) == 7
    assert rejected("(" * 33 + "7" + ")" * 33, Type.INT) == ("nested more than 32 deep", 32)
    assert rejected("-" * 500 + "7", Type.INT)[0] == "nested more than 32 deep"
    assert rejected("not " * 200 + "True", Type.BOOL)[0] == "nested more than 32 deep"


@pytest.mark.parametrize("of", ["len(str({}))", "{} * 1", "({} if True else 1)", "-({})", "min({}, 1)"])
def test_operators_and_functions_are_rejected_more_than_32_deep(of: str) -> None:
    text, depth = "len(request)", 0
    while len(text) < 900:
        text, depth = of.format(text), depth + 1
        if depth == 10:
            assert isinstance(value_of(text, MadeUp(b"ab")), int)
    assert rejected(text, Type.INT)[0] == "nested more than 32 deep"


def test_long_sum_of_bytes_is_one_level() -> None:
    assert value_of("+".join(["request"] * 100), MadeUp(b"ab")) == b"ab" * 100
    assert value_of("+".join(["1"] * 31), MadeUp()) == 31
    assert rejected("+".join(["len(request)"] * 50), Type.INT) == ("nested more than 32 deep", 0)


@pytest.mark.parametrize(
    "text", ["1 if 2 else" * 80, "a." * 500 + "a", "x[0]" * 250, "f()" * 300, "1<" * 500 + "1", "(),"]
)
def test_whatever_the_parser_makes_of_a_text_it_is_a_rejection(text: str) -> None:
    message, position = rejected(text, Type.INT)
    assert message
    assert 0 <= position <= len(text)


def test_positions_are_characters_behind_letters_of_several_bytes() -> None:
    assert rejected("'éü' + größe") == ("unknown name 'größe'; captures: body, from, what", 7)
    assert rejected("größe + 'é' + ß + 1", Type.BYTES)[1] == 0
    assert rejected("len('é') + größe", Type.INT)[1] == 11
