"""A former name of the language is rejected with the new name and its place in the file."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor

from answerback.v1 import config_pb2, options_pb2
from tests.language.configurations import problems_of

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"

RENAMED = {
    "rules: [{do: [hold]}]": "4:19: listeners[0].rules[0].do[0]: `hold` is called `hang`",
    "rules: [{do: [{hold: {}}]}]": "4:20: listeners[0].rules[0].do[0].hold: `hold` is called `hang`",
    "rules: [{do: [frame: line]}]": "4:19: listeners[0].rules[0].do[0].frame: `frame` is called `framing`",
    "rules: [{do: [take: {framing: line}]}]": "4:19: listeners[0].rules[0].do[0].take: `take` is called `receive`",
    "rules: [{do: [receive: {framing: line, set: x}]}]": (
        "4:44: listeners[0].rules[0].do[0].receive.set: `set` is called `into`"
    ),
    "rules: [{replies: {of: [[echo]], then: HOLD}}]": (
        "4:44: listeners[0].rules[0].replies.then: `HOLD` is called `REPEAT_LAST`"
    ),
    "framing: {length_prefix: {width: 2, little_endian: true}}": (
        "4:41: listeners[0].framing.length_prefix.little_endian: `little_endian` is called `encoding`"
    ),
    "faults: [cut]": "4:14: listeners[0].faults[0]: `cut` is called `truncate`",
    "faults: [{first: 1, drop: {}}]": "4:15: listeners[0].faults[0].first: `first` is called `times`",
    "faults: [{after: 1, drop: {}}]": "4:15: listeners[0].faults[0].after: `after` is called `skip`",
    "faults: [{scope: REQUEST, drop: {}}]": "4:22: listeners[0].faults[0].scope: `REQUEST` is called `LISTENER`",
    "faults: [{target: REQUEST, drop: {}}]": "4:23: listeners[0].faults[0].target: `REQUEST` is called `REPLY`",
}


@pytest.mark.parametrize("text, problem", RENAMED.items())
def test_former_name_is_rejected_with_its_new_name_and_place(text: str, problem: str) -> None:
    found = problems_of(f"listeners:\n  - name: it\n    address: 127.0.0.1:7000\n    {text}\n")
    assert found[0] == problem


def test_former_names_that_are_valid_elsewhere_are_accepted_there() -> None:
    for text in ("accept: HOLD", "rules: [{scope: CONNECTION, times: 1}]", "faults: [{hang: {after: 1s}}]"):
        assert problems_of(f"listeners:\n  - name: it\n    address: 127.0.0.1:7000\n    {text}\n") == []


ELSEWHERE = {
    "rules: [{do: [sleep: 5s]}]": "4:19: listeners[0].rules[0].do[0].sleep: `sleep` is called `delay` here",
    "rules: [{do: [pause: 500ms]}]": "4:19: listeners[0].rules[0].do[0].pause: `pause` is called `delay` here",
    "rules: [{do: [recv]}]": "4:19: listeners[0].rules[0].do[0]: `recv` is called `receive` here",
    "rules: [{do: [sendhex: 00]}]": "4:19: listeners[0].rules[0].do[0].sendhex: `sendhex` is called `send` here",
    "rules: [{when: {starts_with: A}}]": (
        "4:21: listeners[0].rules[0].when.starts_with: `starts_with` is called `prefix` here"
    ),
    "faults: [{toxicity: 0.5, drop: {}}]": (
        "4:15: listeners[0].faults[0].toxicity: `toxicity` is called `probability` here"
    ),
    "faults: [{jitter: 5ms}]": "4:15: listeners[0].faults[0].jitter: `jitter` is called `latency` here",
    "faults: [{limit_data: 5}]": "4:15: listeners[0].faults[0].limit_data: `limit_data` is called `truncate` here",
    "faults: [reset_peer]": "4:14: listeners[0].faults[0]: `reset_peer` is called `reset` here",
    "predicates: []": "4:5: listeners[0].predicates: `predicates` is called `rules` here",
}


@pytest.mark.parametrize("text, problem", ELSEWHERE.items())
def test_name_of_another_tool_is_rejected_with_the_name_here_and_its_place(text: str, problem: str) -> None:
    found = problems_of(f"listeners:\n  - name: it\n    address: 127.0.0.1:7000\n    {text}\n")
    assert found[0] == problem


def test_names_of_other_tools_are_unambiguous_and_none_of_ours() -> None:
    def each(messages: Iterable[Descriptor]) -> Iterator[Descriptor]:
        for message in messages:
            yield message
            yield from each(message.nested_types)

    for message in each(config_pb2.DESCRIPTOR.message_types_by_name.values()):
        names = [name for field in message.fields for name in field.GetOptions().Extensions[options_pb2.elsewhere]]
        assert len(names) == len(set(names)), message.full_name
        assert not set(names) & {field.name for field in message.fields}, message.full_name
        formerly = {field.GetOptions().Extensions[options_pb2.formerly] for field in message.fields}
        assert not set(names) & formerly, message.full_name


def former_names(messages: Iterable[Descriptor]) -> Iterator[tuple[str, str]]:
    """Each former name of a field or an enum's value in the schema, with the new name."""
    for message in messages:
        for field in message.fields:
            if former := field.GetOptions().Extensions[options_pb2.formerly]:
                yield former, field.name
        for enum in message.enum_types:
            for value in enum.values:
                if former := value.GetOptions().Extensions[options_pb2.formerly_value]:
                    yield former, value.name.partition("_")[2]
        yield from former_names(message.nested_types)


FORMER = sorted(set(former_names(config_pb2.DESCRIPTOR.message_types_by_name.values())))


@pytest.mark.parametrize("former, name", FORMER)
def test_each_former_name_of_the_schema_is_tested_and_listed_in_the_changelog(former: str, name: str) -> None:
    assert any(f"`{former}` is called `{name}`" in problem for problem in RENAMED.values())
    changed = CHANGELOG.read_text().partition("### Changed")[2].partition("###")[0]
    before_and_now = [row.split(" | ") for row in changed.splitlines() if row.startswith("| ")]
    words = [[set(re.findall(r"\w+", cell)) for cell in row] for row in before_and_now]
    assert any(former in row[0] and name in row[1] for row in words if len(row) == 2)
