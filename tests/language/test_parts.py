"""Counting the fields and list items of a message before it is parsed, and of a file while it is read."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from answerback.document import decode, yaml_tree
from answerback.document.document import load
from answerback.document.encode import dump
from answerback.language import parts
from answerback.language.parts import MAX_DEPTH, MAX_PARTS, TOO_MANY, NoMessage, TooManyParts, check_parts
from answerback.language.problems import Problems
from answerback.v1 import config_pb2 as v1
from answerback.v1.config_service_pb2 import UpdateConfigRequest
from tests.language.strategies import configs, few

CONFIG = v1.Config.DESCRIPTOR
EMPTY_LISTENER = b"\x0a\x00"  # field 1, length 0
STEPS = "listeners: [{name: a, address: '127.0.0.1:1', rules: [{do: [%s]}]}]"


def delimited(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    written = b""
    while value > 127:
        written, value = written + bytes((value & 127 | 128,)), value >> 7
    return written + bytes((value,))


def number(of: str, field: str) -> int:
    found: int = getattr(v1, of).DESCRIPTOR.fields_by_name[field].number
    return found


def rule(content: bytes) -> bytes:
    return delimited(number("Config", "listeners"), delimited(number("Listener", "rules"), content))


@pytest.mark.parametrize(
    "data, count",
    [
        (b"", 0),
        (EMPTY_LISTENER * 3, 3),
        (rule(b""), 2),
        (rule(delimited(number("Rule", "in_states"), b"s") * 5), 7),
        (rule(delimited(number("Rule", "do"), b"") * 5), 7),
        (delimited(1000, b"\x0a\x00" * 9), 1),  # nothing is made of what is in an unknown field
        (b"\xf8\x3e\x96\x01" * 4, 4),  # unknown: a varint
        (b"\xf9\x3e" + bytes(8) + b"\xfd\x3e" + bytes(4), 2),  # unknown: 64 bits, 32 bits
        (delimited(1, b"\x0a\x80\x01" + b"x" * 128), 2),  # a length of two bytes
    ],
)
def test_each_field_counts_as_a_part(data: bytes, count: int) -> None:
    assert check_parts(data, CONFIG) == count
    v1.Config.FromString(data)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_each_packed_number_counts_as_a_part(count: int) -> None:
    replies = v1.Replies(weights=[1.5] * count)
    assert check_parts(replies.SerializeToString(), v1.Replies.DESCRIPTOR) == count


def test_packed_numbers_beyond_the_maximum_are_rejected() -> None:
    data = v1.Replies(weights=[1.5] * 5).SerializeToString()
    assert check_parts(data, v1.Replies.DESCRIPTOR, 5) == 5
    with pytest.raises(TooManyParts):
        check_parts(data, v1.Replies.DESCRIPTOR, 4)


@pytest.mark.parametrize("data", [EMPTY_LISTENER * MAX_PARTS, rule(delimited(7, b"") * (MAX_PARTS - 2))])
def test_message_with_more_than_the_maximum_of_parts_is_rejected(data: bytes) -> None:
    assert check_parts(data, CONFIG) == MAX_PARTS
    with pytest.raises(TooManyParts):
        check_parts(data + EMPTY_LISTENER, CONFIG)


def test_counting_of_parts_stops_at_the_maximum() -> None:
    with pytest.raises(TooManyParts):
        check_parts(EMPTY_LISTENER * 5 + b"\xff", CONFIG, 4)  # what follows would be no message


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # no length
        b"\x0a\x02\x0a",  # too short
        b"\x0a\x01\x0a",  # a tag alone within
        delimited(1, b"\x2a\x05" + b"x"),  # longer than what it is in
        b"\x80" * 10,  # a tag without an end
        b"\xf8\x3e" + b"\x80" * 10 + b"\x00",  # a number of 77 bits
        b"\xf9\x3e" + bytes(7),
        b"\xfd\x3e" + bytes(3),
        b"\x0b\x0c",  # a group
        b"\x0e",  # wire type 6
        b"\x0f",
    ],
)
def test_part_count_of_malformed_message_is_rejected(data: bytes) -> None:
    with pytest.raises(NoMessage):
        check_parts(data, CONFIG)


def test_nested_messages_are_counted_to_the_depth_that_protobuf_parses() -> None:
    data = b""
    for _ in range(MAX_DEPTH // 2):
        data = delimited(number("Match", "not"), data)
    assert check_parts(data, v1.Match.DESCRIPTOR) == MAX_DEPTH // 2
    for _ in range(MAX_DEPTH):
        data = delimited(number("Match", "not"), data)
    with pytest.raises(NoMessage):
        check_parts(data, v1.Match.DESCRIPTOR)


@few
@given(st.binary(max_size=64))
def test_part_count_accepts_whatever_protobuf_parses(data: bytes) -> None:
    try:
        v1.Config.FromString(data)
    except DecodeError:
        return
    try:
        check_parts(data, CONFIG)
    except NoMessage:
        assert any(byte & 7 in {3, 4} for byte in data)  # groups, which no field of ours is


@few
@given(configs())
def test_parts_of_a_valid_file_are_within_the_limit_of_the_api(config: v1.Config) -> None:
    """The bound of the file is reached first: what is served from one can be read, and given back."""
    wire = check_parts(config.SerializeToString(), CONFIG)
    root = yaml_tree.compose(dump(config))
    assert root is not None
    reader = decode._Reader(Problems())
    reader.message(root, v1.Config(), "", 1)
    assert wire <= reader._parts
    assert wire + 4 >= check_parts(
        UpdateConfigRequest(config=config, etag="a", comment="b").SerializeToString(), UpdateConfigRequest.DESCRIPTOR
    )


@pytest.mark.parametrize("step, each", [("close", 2), ("send: x", 3), ("delay: 1s", 5), ("reset: {}", 2)])
def test_file_with_more_than_the_maximum_of_parts_is_rejected(
    monkeypatch: pytest.MonkeyPatch, step: str, each: int
) -> None:
    text = STEPS % ", ".join([f"{{{step}}}" if ":" in step else step] * 10)
    monkeypatch.setattr(decode, "MAX_PARTS", 4 + 10 * each)
    assert load(text).problems == ()
    monkeypatch.setattr(decode, "MAX_PARTS", 3 + 10 * each)
    (problem,) = load(text).problems
    assert (problem.message, problem.line) == (TOO_MANY, 1)
    assert problem.path.startswith("listeners[0].rules[0].do[9]")
    assert (problem.column or 0) > len(text) - len(step) - 10


def test_alias_counts_its_parts_at_each_use(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "listeners: [&a {name: a, rules: &r [{do: [close, close]}]}, *a, *a, *a]"
    monkeypatch.setattr(decode, "MAX_PARTS", 4 * 7)
    assert load(text).problems == ()
    monkeypatch.setattr(decode, "MAX_PARTS", 4 * 7 - 1)
    assert [problem.message for problem in load(text).problems] == [TOO_MANY]


def test_part_limit_message_names_the_limit() -> None:
    assert f"{parts.MAX_PARTS}" in TOO_MANY
