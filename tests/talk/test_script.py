"""The format of talks."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.talk.script import (
    Action,
    Connect,
    ConnectFails,
    Expect,
    ExpectEof,
    ExpectLine,
    ExpectReset,
    ExpectSilence,
    Send,
    SendEof,
    SwitchTo,
    TalkError,
    Wait,
    Within,
    parse,
)

NO_BYTES = 'is neither a JSON string, such as "PING\\r\\n", nor hex, such as hex 00 ff'


@pytest.mark.parametrize(
    "line, action",
    [
        ("connect", Connect()),
        ("connect admin", Connect("admin")),
        ("connect timeout 0.5", ConnectFails(0.5)),
        ("refused", ConnectFails()),
        ("as admin", SwitchTo("admin")),
        (r'> "PING\r\n"', Send(b"PING\r\n")),
        (r'> "\u00ff\u0000"', Send(b"\xff\0")),
        ('>   "a b"  ', Send(b"a b")),
        ("> hex 00 01 ff", Send(b"\0\1\xff")),
        ("> hex 0001ff", Send(b"\0\1\xff")),
        ("> eof", SendEof()),
        ('> "eof"', Send(b"eof")),
        (r'< "+PONG\r\n"', Expect(b"+PONG\r\n")),
        ("< hex 0a", Expect(b"\n")),
        ('< ""', Expect(b"")),
        ("< /^220 .* ESMTP/", ExpectLine(re.compile("^220 .* ESMTP"))),
        ("< /a/b/", ExpectLine(re.compile("a/b"))),
        ("< eof", ExpectEof()),
        ("< reset", ExpectReset()),
        ("< silence 0.3", ExpectSilence(0.3)),
        ("within 0.2 0.5", Within(0.2, 0.5)),
        ("within 0 0", Within(0.0, 0.0)),
        ("wait 2", Wait(2.0)),
    ],
)
def test_line_is_read_as_its_action(line: str, action: Action) -> None:
    (instruction,) = parse(f"# a comment\n\n  {line}\n")
    assert (instruction.number, instruction.text, instruction.action) == (3, line.strip(), action)


@pytest.mark.parametrize(
    "line, message",
    [
        ("send hi", "no such instruction: 'send'; there are connect, as, >, <, within, wait, refused, starttls"),
        (">", f" {NO_BYTES}"),
        ("> hi", f"hi {NO_BYTES}"),
        ("> 12", f"12 {NO_BYTES}"),
        ('> "hi', f'"hi {NO_BYTES}'),
        ('> "\\u20ac"', '"\\u20ac" has a character past \\u00ff; write its bytes, or use hex'),
        ("> hex 0", "'hex 0' has to have two hex digits for each byte, such as hex 00 ff"),
        ("< /abc", "/abc does not end with /"),
        ("< /", "/ does not end with /"),
        ("< /(/", "/(/: missing ), unterminated subpattern at position 0"),
        ("< silence", "'' is not a number of seconds, such as 0.5"),
        ("< silence -1", "'-1' is not a number of seconds, such as 0.5"),
        ("wait nan", "'nan' is not a number of seconds, such as 0.5"),
        ("within 1", "within needs two numbers of seconds, such as within 0.2 0.5"),
        ("within 0.5 0.2", "within 0.5 0.2: 0.5 is more than 0.2"),
        ("connect a b", "'a b' is not the name of a connection: one word"),
        ("as", "'' is not the name of a connection: one word"),
        ("refused now", "nothing can follow refused"),
    ],
)
def test_line_that_is_no_instruction_is_reported_with_its_number(line: str, message: str) -> None:
    with pytest.raises(TalkError) as error:
        parse(f"connect\n{line}\n")
    assert error.value.problems == [(2, message)]
    assert str(error.value) == f"line 2: {message}"


def test_every_line_that_is_no_instruction_is_reported() -> None:
    with pytest.raises(TalkError) as error:
        parse("a\nconnect\nb\n")
    assert [number for number, _ in error.value.problems] == [1, 3]


@given(st.text())
def test_any_text_is_a_talk_or_a_talk_error(text: str) -> None:
    with suppress(TalkError):
        assert len(parse(text)) <= len(text.splitlines())


def test_reference_describes_each_instruction_and_its_talk_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/talks.md").read_text()
    for talk in re.findall(r"^```talk\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        assert parse(talk)
    forms = [form for row in re.findall(r"^\| (`.+?) \| ", page, re.MULTILINE) for form in re.findall("`(.+?)`", row)]
    forms = [form.replace("NAME", "name").replace("hex …", "hex 00").replace("# …", "# comment") for form in forms]
    verbs = {form.split()[0] for form in forms if parse(form)}
    assert verbs == {"connect", "as", ">", "<", "within", "wait", "refused", "starttls"}
