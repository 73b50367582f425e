from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import pytest

from answerback.core import templates
from answerback.core.templates.placeholders import PLACEHOLDERS
from tests.core.turns import Groups, MadeUp, matched


def rendered(text: str, turn: MadeUp, groups: int = 2) -> bytes:
    return templates.compile(text, ["body", "what"], groups).render(turn)


@pytest.mark.parametrize(
    "text, makes",
    [
        ("request", b"GET \xff"),
        ("peer.host", b"::1"),
        ("peer.port", b"5"),
        ("local.port", b"80"),
        ("listener", "hörer".encode()),
        ("connection.id", b"c-1"),
        ("request.number", b"12"),
        ("state", "naïve".encode()),
        ("vars.a", b"\x00"),
        ("vars.b", b""),
    ],
)
def test_placeholder_renders_the_value_of_the_turn(text: str, makes: bytes) -> None:
    turn = MadeUp(
        b"GET \xff",
        peer=("::1", 5),
        local_port=80,
        listener="hörer",
        connection_id="c-1",
        number=12,
        state="naïve",
        variables={"a": b"\x00"},
    )
    assert rendered("${" + text + "}", turn) == makes


def test_captures_are_rendered_by_number_and_name() -> None:
    turn = matched(r"(?s)^(a+)(b)?(?P<body>.*)$", b"aac\xff")
    assert rendered("${1}|${2}|${3}|${body}|${body[-1]}", turn, groups=3) == b"aa||c\xff|c\xff|\xff"


def test_captures_of_another_pattern_are_empty() -> None:
    assert rendered("<${2}${what}>", MadeUp(captures=Groups({1: b"x"}))) == b"<>"
    assert rendered("<${2}${what}>", MadeUp()) == b"<>"


def test_uuid_placeholder_makes_distinct_version_4_uuids_by_seed() -> None:
    turn = MadeUp(seed=3)
    made = [rendered("${uuid}", turn).decode() for _ in range(50)]
    assert all(str(UUID(text)) == text for text in made)
    assert all(UUID(text).version == 4 and UUID(text).variant == RFC_4122 for text in made)
    assert len(set(made)) == 50
    again = MadeUp(seed=3)
    assert [rendered("${uuid}", again).decode() for _ in range(50)] == made


def test_random_placeholder_makes_bytes_by_seed() -> None:
    assert rendered("${random:300}", MadeUp(seed=3)) == MadeUp(seed=3).chance.randbytes(300)
    assert rendered("${tohex:random:2}", MadeUp(seed=3)) == MadeUp(seed=3).chance.randbytes(2).hex().encode()


def test_now_placeholder_formats_the_time() -> None:
    turn = MadeUp(moment=datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert rendered("${now:%d %b %Y, %T}", turn) == b"31 Dec 1999, 23:59:59"
    assert rendered("${len:now:%F}", turn) == b"10"


def test_hex_placeholder_decodes_digits_and_blanks() -> None:
    assert rendered("${hex:00 2a}${hex:FFfe}${hex: 01\t02 }", MadeUp()) == b"\x00\x2a\xff\xfe\x01\x02"


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abcdefghij"])
@pytest.mark.parametrize("first", ["", "0", "1", "4", "-1", "-2", "-7", "99", "-99"])
@pytest.mark.parametrize("last", ["", "0", "1", "4", "-1", "-2", "-7", "99", "-99"])
def test_placeholder_slice_equals_a_python_slice(data: bytes, first: str, last: str) -> None:
    expected = data[int(first) if first else None : int(last) if last else None]
    for text in (f"request[{first}:{last}]", f"vars.a[{first}:{last}]", f"1[{first}:{last}]", f"body[{first}:{last}]"):
        turn = MadeUp(data, Groups({1: data, b"body": data}), variables={"a": data})
        assert rendered("${" + text + "}", turn) == expected


@pytest.mark.parametrize("index", [0, 1, 9, 10, -1, -2, -10, -11])
def test_placeholder_index_renders_one_byte(index: int) -> None:
    data = b"abcdefghij"
    expected = data[index : index + 1 or None] if -10 <= index < 10 else b""
    assert rendered(f"${{request[{index}]}}", MadeUp(data)) == expected


def test_placeholders_of_bytes_can_be_sliced() -> None:
    for name, value in PLACEHOLDERS.items():
        if name not in {"peer.port", "local.port", "request.number"}:
            whole = rendered("${" + name + "}", MadeUp(b"abc", state="s"))
            assert rendered("${" + name + "[1:]}", MadeUp(b"abc", state="s")) == whole[1:], value
