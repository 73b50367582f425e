import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.escapes import SHOWN, escape, quote, unescape


@pytest.mark.parametrize(
    "data, text",
    [
        (b"", ""),
        (b"PING\r\n", r"PING\r\n"),
        (b"\t\x00\x7f\xff", r"\t\x00\x7f\xff"),
        (b'say "hi" \\o/', r"say \"hi\" \\o/"),
        ("é".encode(), r"\xc3\xa9"),
    ],
)
def test_bytes_are_escaped_as_in_c(data: bytes, text: str) -> None:
    assert escape(data) == text
    assert unescape(text) == data


@given(st.binary())
def test_escaped_bytes_are_printable_and_unescape_to_the_same(data: bytes) -> None:
    assert escape(data).isprintable()
    assert escape(data).isascii()
    assert unescape(escape(data)) == data


@pytest.mark.parametrize(
    "text, data", [(r"\0\'", b"\0'"), ("é€", "é€".encode()), (r"\x4F\x4b", b"OK"), ("\udcff", b"\xff")]
)
def test_unescape_accepts_more_forms_than_escape_writes(text: str, data: bytes) -> None:
    assert unescape(text) == data


@pytest.mark.parametrize(
    "text, what", [(r"a\q", r"\q (at 1)"), ("a\\", "a backslash at the end (at 1)"), (r"\x4", r"\x (at 0)")]
)
def test_unknown_escape_is_rejected_with_its_position(text: str, what: str) -> None:
    with pytest.raises(ValueError) as refused:
        unescape(text)
    assert str(refused.value) == rf"{what} is no escape: there are \r \n \t \0 \\ \" \' and \xNN"


def test_quoted_long_bytes_show_both_ends() -> None:
    assert quote(b"x" * SHOWN) == '"' + "x" * SHOWN + '"'
    assert quote(b"a" * 50 + b"b" * 50) == '"' + "a" * 30 + '"…"' + "b" * 30 + '" (100 bytes)'
