"""docs/reference/language.md: every field, its default, and examples that do what they say."""

import re
from collections.abc import Iterator
from math import inf
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from answerback.core import patterns, templates
from answerback.core.plan import Limits
from answerback.core.templates.functions import FUNCTIONS
from answerback.core.templates.placeholders import PLACEHOLDERS
from answerback.document.document import load
from answerback.language import durations
from answerback.language.check import check
from answerback.language.framing.read import DEFAULT_READ_BYTES
from answerback.language.lint import warnings
from answerback.language.traverse import messages
from answerback.v1 import config_pb2 as v1
from answerback.v1 import options_pb2
from tests.language.compiling import Turn
from tests.language.configurations import problems_of

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "language.md").read_text()
FIELDS = PAGE.split("\n## Fields\n")[1].split("\n## ")[0]
FENCE = re.compile(r"^```([a-z ]+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([a-z_0-9]+)` \| ([^|]+) \| ([^|]+) \| `([^|]+)` \|$", re.MULTILINE)
FILES = {"request.bin": b"", "reply.bin": b"", "end.bin": b"\0"}

SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^### |\Z)", FIELDS, re.MULTILINE | re.DOTALL))
ROWS = [(heading, *row) for heading, text in SECTIONS.items() for row in ROW.findall(text)]


def name_of(kind: Any) -> str:
    return str(kind.full_name).removeprefix("answerback.v1.")


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


def whole(section: str, example: str) -> str:
    """A file around an example."""
    if "whole files" in section:
        return example
    rule = "rules:\n  - " + example if "fields of a rule" in section else example
    given = {line.split(":")[0] for line in rule.splitlines()}
    needed = [line for line in ("name: it", "address: 127.0.0.1:0") if line.split(":")[0] not in given]
    return "listeners:\n  -\n" + indent("\n".join([*needed, rule]), "    ")


def test_every_message_has_a_section_and_every_field_a_row() -> None:
    documented = {heading: [row[1] for row in ROWS if row[0] == heading] for heading in SECTIONS}
    assert documented == {name_of(kind): [field.name for field in kind.fields] for kind in kinds(v1.Config.DESCRIPTOR)}


@pytest.mark.parametrize("heading, field, example", [(row[0], row[1], row[4]) for row in ROWS])
def test_an_example_is_taken_and_sets_its_field(heading: str, field: str, example: str) -> None:
    document = load(whole(SECTIONS[heading], example))
    assert document.problems == ()
    assert check(document.config, FILES) == []
    assert warnings(document.config) == []
    found = [message for _, message in messages(document.config) if name_of(message.DESCRIPTOR) == heading]
    assert any(field == given.name for message in found for given, _ in message.ListFields())


@pytest.mark.parametrize("heading, field, default", [row[:3] for row in ROWS])
def test_a_default_is_the_one_in_force(heading: str, field: str, default: str) -> None:
    kind = next(kind for kind in kinds(v1.Config.DESCRIPTOR) if name_of(kind) == heading)
    described = kind.fields_by_name[field]
    oneof = described.containing_oneof
    assert (default == "choice") == (oneof is not None and oneof.name != f"_{field}")
    required = described.GetOptions().Extensions[options_pb2.required]
    assert (default == "required") == (required or (heading == "Listener" and field in {"name", "address"}))
    value = default.split("`")[1] if "`" in default else ""
    if heading == "Limits" and described.message_type is not None:
        assert (durations.seconds(durations.parse(value)) or inf) == getattr(Limits(), field)
    elif heading == "Limits":
        assert int(value) == getattr(Limits(), field)
    elif field == "max_bytes":
        assert int(value) == DEFAULT_READ_BYTES
    elif described.cpp_type == described.CPPTYPE_BOOL:
        assert value == "false"


def test_shorthand_means_what_it_is_said_to_mean() -> None:
    table = PAGE.split("\n## Shorthand\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \| `([^|]+)` \| `([^|]+)` \|$", table, re.MULTILINE)
    assert len(rows) == 8

    def meant(text: str) -> v1.Config:
        document = load(whole("fields of a rule", f"do: [{text}]" if text.startswith("send") else text))
        assert document.problems == ()
        return document.config

    for short, full in rows:
        assert meant(short) == meant(full)


TEMPLATES = re.findall(r"^\| `([^|]+)` \| [^|]+ \| `([^|]+)` \| (?:`([^|]+)` )?\|$", PAGE, re.MULTILINE)
PATTERN = r"^SET (?P<name>\S+) (\d+)$"


def test_the_page_names_every_placeholder_and_function() -> None:
    named = {re.split("[:A-Z]", name)[0].rstrip(".") for name, _, _ in TEMPLATES}
    padding = {name for name in FUNCTIONS if name.startswith("pad")} - {"pad3"}
    assert named >= {*PLACEHOLDERS, *FUNCTIONS} - padding
    assert {name.partition(".")[0] for name in named} >= templates.RESERVED - padding
    assert PATTERN in PAGE


@pytest.mark.parametrize("text, made", [(text, made) for _, text, made in TEMPLATES if text.startswith(("$", "<"))])
def test_a_template_makes_what_is_said(text: str, made: str) -> None:
    turn = Turn(b"SET key 5")
    turn.captures = patterns.compile(PATTERN).search(turn.request)
    turn.state, turn.variables = "ready", {"user": b"ada"}
    rendered = templates.compile(text, {"name"}, 2).render(turn)
    assert rendered == made.encode() if made else rendered


def test_the_whole_examples_are_taken() -> None:
    for example in [text for kind, text in FENCE.findall(PAGE) if kind == "yaml"]:
        assert problems_of(example) == []
        assert warnings(load(example).config) == []


def test_a_refusal_is_what_is_said() -> None:
    blocks = dict(FENCE.findall(PAGE))
    assert problems_of(blocks["yaml refused"]) == dedent(blocks["text"]).splitlines()
