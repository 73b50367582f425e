"""docs/reference: every field with its default, its bounds and an example that does what it says."""

import re
from collections.abc import Iterator
from math import inf
from pathlib import Path
from textwrap import indent

import pytest
from google.protobuf.descriptor import Descriptor

from answerback.core.plan import Limits
from answerback.document.document import load
from answerback.document.encode import dump
from answerback.language import durations
from answerback.language.check import check
from answerback.language.fields import Where
from answerback.language.framing.read import DEFAULT_READ_BYTES
from answerback.language.lint import warnings
from answerback.language.reference import Entry, entries
from answerback.language.traverse import messages
from answerback.v1 import config_pb2 as v1
from tests.language.compiling import compiled

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
GENERATED = (REFERENCE / "configuration.md").read_text()
FILES = {"request.bin": b"", "reply.bin": b"", "end.bin": b"\0"}
ENTRIES = list(entries())
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=[f"{each.message}.{each.field}" for each in ENTRIES])


def name_of_message(full_name: str) -> str:
    return full_name.removeprefix("answerback.v1.")


def kinds(kind: Descriptor, known: set[str] | None = None) -> Iterator[Descriptor]:
    """Every message of the configuration that has fields."""
    known = set() if known is None else known
    if kind.full_name in known or not kind.full_name.startswith("answerback."):
        return
    known.add(kind.full_name)
    if kind.fields:
        yield kind
    for field in kind.fields:
        if field.message_type is not None:
            yield from kinds(field.message_type, known)


def whole(where: Where, example: str) -> str:
    """A file around an example."""
    if where is Where.FILE:
        return example
    rule = "rules:\n  - " + example if where is Where.RULE else example
    given = {line.split(":")[0] for line in rule.splitlines()}
    needed = [line for line in ("name: it", "address: 127.0.0.1:0") if line.split(":")[0] not in given]
    needed += ["rules: [{name: login}]"] * ("[login]" in example)
    needed += ["framing: http"] * ("respond:" in example)
    needed += ["tls: {cert: a.crt, key: a.key, start: ON_STEP}"] * ("start_tls" in example)
    needed += ["tls: {cert: a.crt, key: a.key}"] * bool(re.search(r"faults: .*\btls: ", example))
    needed += ["rules: [{do: [start_tls]}]"] * ("start: ON_STEP" in example)
    needed += ["framing: line", "rules: [{when: PING}]"] * bool(re.search("upstream: .*framing: ", example))
    if "event: REPLY" in example:
        needed += ["framing: line", "upstream: {address: 'a:1', framing: line}"]
    elif "forward" in example:
        needed.append("upstream: 'a:1'")
    needed += ["rules: [{do: [forward]}]"] * ("ON_FORWARD" in example)
    return "listeners:\n  -\n" + indent("\n".join([*needed, rule]), "    ")


def test_each_field_is_described_once() -> None:
    described = [(each.message, each.field) for each in ENTRIES]
    assert len(set(described)) == len(described)
    expected = {(str(kind.full_name), field.name) for kind in kinds(v1.Config.DESCRIPTOR) for field in kind.fields}
    assert set(described) == expected


@each_entry
def test_example_of_a_field_is_valid_and_sets_it(entry: Entry) -> None:
    document = load(whole(entry.where, entry.example))
    assert document.problems == ()
    assert check(document.config, FILES) == []
    assert warnings(document.config) == []
    found = [message for _, message in messages(document.config) if message.DESCRIPTOR.full_name == entry.message]
    assert any(entry.field == given.name for message in found for given, _ in message.ListFields())
    assert len(compiled(document.config, FILES).listeners) == 1
    assert load(dump(document.config)).config == document.config


@each_entry
def test_reference_shows_default_bounds_and_example_of_each_field(entry: Entry) -> None:
    section = GENERATED.split(f"\n## {name_of_message(entry.message)}\n")[1].split("\n## ")[0]
    row = next(line for line in section.splitlines() if line.startswith(f"| `{entry.field}` |"))
    assert row.endswith(f"| `{entry.example}` |")
    assert f"| {entry.bounds} |" in row
    assert not entry.default or f"| {entry.default} |" in row


@each_entry
def test_comment_in_the_schema_does_not_repeat_default_or_bounds(entry: Entry) -> None:
    section = GENERATED.split(f"\n## {name_of_message(entry.message)}\n")[1].split("\n## ")[0]
    row = next(line for line in section.splitlines() if line.startswith(f"| `{entry.field}` |"))
    comment = row.removesuffix(f" | `{entry.example}` |").rsplit(f"| {entry.bounds} | ", 1)[1]
    assert not re.search(r"\bdefault|unless given|if not given", comment, re.IGNORECASE)
    figures = set(re.findall(r"\d[\d,]+", entry.bounds))
    assert figures.isdisjoint(re.findall(r"\d[\d,]+", comment))


def test_documented_default_of_an_enum_is_a_value_that_may_be_written() -> None:
    checked = 0
    for kind in kinds(v1.Config.DESCRIPTOR):
        for field in kind.fields:
            entry = next(each for each in ENTRIES if (each.message, each.field) == (kind.full_name, field.name))
            if field.enum_type is None or not re.fullmatch("`[A-Z_]+`", entry.default):
                continue
            checked += 1
            values = [value.name for value in field.enum_type.values]
            assert any(name.endswith(f"_{entry.default.strip('`')}") for name in values[1:]), entry
    assert checked >= 5


def test_documented_defaults_of_limits_are_those_in_use() -> None:
    for entry in ENTRIES:
        if entry.message != "answerback.v1.Limits":
            continue
        value = entry.default.split("`")[1]
        described = v1.Limits.DESCRIPTOR.fields_by_name[entry.field]
        if described.message_type is not None:
            assert (durations.seconds(durations.parse(value)) or inf) == getattr(Limits(), entry.field)
        else:
            assert int(value) == getattr(Limits(), entry.field)


def test_documented_default_of_read_is_the_one_in_use() -> None:
    entry = next(each for each in ENTRIES if each.field == "max_bytes")
    assert int(entry.default.split("`")[1]) == DEFAULT_READ_BYTES
