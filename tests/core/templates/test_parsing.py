"""Templates that are rejected, and the position of the error."""

import pytest

from answerback.core import templates
from answerback.core.templates import MOST, RESERVED, TemplateError
from tests.core.turns import Groups, MadeUp

REFUSED = [
    # what is open
    ("${", 0, "${ without its }"),
    ("ab${request", 2, "${ without its }"),
    ("${len:", 0, "${ without its }"),
    ("${or:1", 0, "${ without its }"),
    ("${or:1,", 0, "${ without its }"),
    ("${hex:00", 0, "${ without its }"),
    ("$${request} ${now:%Y", 12, "${ without its }"),
    ("${random:4", 0, "${ without its }"),
    ("${u8:1", 0, "${ without its }"),
    ("$", 0, "a single $: write $$ for a dollar, ${…} for a value"),
    ("$$$ ", 2, "a single $: write $$ for a dollar, ${…} for a value"),
    ("$1", 0, "a single $: write $$ for a dollar, ${…} for a value"),
    # what is not expected
    ("${}", 2, "a value expected, not '}'"),
    ("${ request}", 2, "a value expected, not ' '"),
    ("${request }", 9, "} expected, not ' '"),
    ("${request\r\n}", 9, r"} expected, not '\r'"),
    ("${len:request,request}", 13, "} expected, not ','"),
    ("${u16be:${len:request}}", 8, "no ${ within ${…}: functions nest as in u16be:len:request"),
    # words
    ("${reqest}", 2, "unknown placeholder 'reqest'; did you mean request?"),
    ("${Request}", 2, "unknown placeholder 'Request'; did you mean request?"),
    ("${boby}", 2, "unknown placeholder 'boby'; did you mean body?"),
    ("${len:xyzzy}", 6, "unknown placeholder 'xyzzy'; captures: body, what"),
    ("${peer.hots}", 2, "unknown placeholder 'peer.hots'; did you mean peer.host?"),
    ("${" + "x" * 65 + "}", 2, f"unknown placeholder '{'x' * 64}…'; captures: body, what"),
    ("${HOME}", 2, "unknown placeholder 'HOME'; captures: body, what"),
    ("${len}", 2, "len needs an argument, as in len:request"),
    ("${or}", 2, "or needs an argument, as in or:request[0],0x80"),
    ("${now}", 2, "now needs an argument, as in now:%H:%M:%S"),
    ("${lenn:request}", 2, "unknown function 'lenn'; did you mean len?"),
    ("${u16:1}", 2, "unknown function 'u16'; did you mean u16le?"),
    ("${pad:1}", 2, "'pad' is no padding: pad1 to pad64, as in pad3:sum8:request"),
    ("${pad03:1}", 2, "'pad03' is no padding: pad1 to pad64, as in pad3:sum8:request"),
    ("${pad65:1}", 2, "'pad65' is no padding: pad1 to pad64, as in pad3:sum8:request"),
    ("${request:4}", 2, "request takes no argument"),
    ("${body:4}", 2, "body takes no argument"),
    ("${vars.a:4}", 2, "vars.a takes no argument"),
    ("${vars.}", 2, "'' is no variable's name: letters, digits, _ and -, no digit first"),
    ("${vars.1}", 2, "'1' is no variable's name: letters, digits, _ and -, no digit first"),
    ("${:request}", 2, "a value expected, not ':'"),
    ("${u8}", 2, "u8 needs an argument, as in u8:len:request"),
    # captures
    ("${0}", 2, "no capture 0: they are 1 to 2"),
    ("${len:3}", 6, "no capture 3: they are 1 to 2"),
    ("${1a}", 2, "unknown placeholder '1a'; captures: body, what"),
    # numbers
    ("${u8:256}", 5, "256 is too large: at most 255"),
    ("${u16le:0x10000}", 8, "0x10000 is too large: at most 65535"),
    ("${or:request[0], 0x100}", 17, "0x100 is too large: at most 255"),
    ("${u64be:18446744073709551616}", 8, "18446744073709551616 is too large: at most 18446744073709551615"),
    ("${u8:1a}", 5, "'1a' is no number: decimal digits, or 0x and up to 16 hexadecimal ones"),
    ("${0x}", 2, "'0x' is no number: decimal digits, or 0x and up to 16 hexadecimal ones"),
    ("${u8:1[0]}", 6, "a number has no slices; name the capture that is meant"),
    ("${or:1}", 6, "a comma and one more number expected, not '}'"),
    # slices
    ("${request[]}", 9, "no slice: [6], [-1], [0:4], [4:] or [:-7] are"),
    ("${request[a]}", 9, "no slice: [6], [-1], [0:4], [4:] or [:-7] are"),
    ("${request[0:4:2]}", 9, "no slice: [6], [-1], [0:4], [4:] or [:-7] are"),
    ("${request[0:4}", 9, "no slice: [6], [-1], [0:4], [4:] or [:-7] are"),
    ("${peer.port[0]}", 11, "peer.port is a number, which has no slices"),
    # arguments
    ("${hex:}", 6, "hex: needs digits, as in hex:00 2a"),
    ("${hex:0}", 6, "odd number of hexadecimal digits"),
    ("${hex:00 0g}", 10, "'g' is no hexadecimal digit"),
    ("${hex:0 00 0}", 6, "white space within a pair of hexadecimal digits"),
    ("${random:}", 9, "random: takes a number of bytes, 1 to 1048576, not ''"),
    ("${random:0}", 9, "random: takes a number of bytes, 1 to 1048576, not '0'"),
    ("${random:1048577}", 9, "random: takes a number of bytes, 1 to 1048576, not '1048577'"),
    ("${now:}", 6, "now: needs a format, as in now:%Y-%m-%dT%H:%M:%SZ"),
    ("\ud800", 0, "half of a surrogate pair is no character"),
]


@pytest.mark.parametrize("text, position, message", REFUSED, ids=[ascii(row[0]) for row in REFUSED])
def test_invalid_template_is_rejected_with_message_and_position(text: str, position: int, message: str) -> None:
    with pytest.raises(TemplateError) as refused:
        templates.compile(text, ["body", "what"], 2)
    assert (refused.value.message, refused.value.position) == (message, position)
    assert str(refused.value) == f"at {position}: {message}"


def test_unknown_time_directive_is_rejected() -> None:
    with pytest.raises(TemplateError, match="unknown directive %c; after a % may stand one of % A a B b ") as refused:
        templates.compile("${now:%Y %c}")
    assert refused.value.position == 9


def test_template_capture_without_any_group_is_rejected() -> None:
    with pytest.raises(TemplateError, match="no capture 1: no regex with a group makes the rule match"):
        templates.compile("${1}")


def test_template_functions_nested_past_16_are_rejected() -> None:
    assert templates.compile("${" + "upper:" * 16 + "request}").render(MadeUp(b"a")) == b"A"
    with pytest.raises(TemplateError, match="more than 16 functions within each other") as refused:
        templates.compile("${" + "upper:" * 17 + "request}")
    assert refused.value.position == 2 + 6 * 16
    with pytest.raises(TemplateError):
        templates.compile("${" + "len:" * 100_000)


def test_template_always_too_long_is_rejected_when_compiled() -> None:
    assert templates.compile("x" * MOST).constant == b"x" * MOST
    with pytest.raises(TemplateError, match="longer than 1048576 bytes, whatever its values"):
        templates.compile("x" * MOST + "${request}${hex:00}")
    with pytest.raises(TemplateError, match="makes more than 1048576 bytes") as refused:
        templates.compile("x${tohex:hex:" + "00" * (MOST // 2 + 1) + "}")
    assert refused.value.position == 3


def test_blank_after_a_comma_is_accepted() -> None:
    assert templates.compile("${xor:1,  3}").constant == b"\x02"


def test_words_of_the_grammar_are_reserved() -> None:
    for name in ("request", "peer", "local", "listener", "connection", "state", "vars", "uuid", "now", "random", "hex"):
        assert name in RESERVED
        assert templates.is_reserved(name)
    assert {"len", "u16be", "or", "xor", "pad3", "crc32"} <= RESERVED
    assert all(templates.is_reserved(name) for name in ("7", "0x10", "1st"))
    assert not any(templates.is_reserved(name) for name in ("body", "Request", "pad", "length", "x0"))


def test_reserved_word_is_not_overridden_by_a_capture() -> None:
    template = templates.compile("${state}", ["state"], 1)
    assert template.render(MadeUp(state="ready", captures=Groups({b"state": b"no"}))) == b"ready"
    with pytest.raises(TemplateError):
        templates.compile("${peer}", ["peer"], 1)


def test_template_variable_names_follow_the_rules() -> None:
    assert all(map(templates.is_variable, ["a", "_", "retry-count", "a1"]))
    assert not any(map(templates.is_variable, ["", "1", "-a", "a b", "a.b", "é", "a[0]"]))
