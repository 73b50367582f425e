"""docs/reference/templates.md: every placeholder, function and directive, and each example with its result."""

import re
from pathlib import Path

import pytest

from answerback.core import templates
from answerback.core.templates import TemplateError
from answerback.core.templates.clock import DIRECTIVES
from answerback.core.templates.functions import FUNCTIONS
from answerback.core.templates.placeholders import PLACEHOLDERS
from tests.core.turns import MadeUp, matched

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "templates.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ROW = re.compile(r"^\| (.+) \| .+ \| `(.+)` \| `(.+)` \|$", re.MULTILINE)
ROWS = [(name, *row) for name, text in SECTIONS.items() for row in ROW.findall(text)]
REFUSALS = re.findall(r"^\| `(.+)` \| (at .+) \|$", SECTIONS["Errors"], re.MULTILINE)
GIVEN = re.findall(r"`(.+?)`", PAGE.split("The examples below use the request")[1])


def turn() -> MadeUp:
    request, pattern, name, value, state, *_ = GIVEN
    return matched(pattern, request.encode(), number=3, state=state, variables={name: value.encode()})


def compiled(text: str) -> templates.Template:
    return templates.compile(text, ["verb", "key", "size"], 3)


def names(section: str) -> set[str]:
    return {name.strip("`").partition(":")[0] for title, name, *_ in ROWS if title == section}


@pytest.mark.parametrize("text, makes", [row[2:] for row in ROWS])
def test_example_in_templates_reference_renders_as_stated(text: str, makes: str) -> None:
    expected = re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), makes).encode("latin-1")
    assert compiled(text).render(turn()) == expected


def test_templates_reference_names_every_placeholder_and_function() -> None:
    assert set(PLACEHOLDERS) <= names("Placeholders")
    assert {"now", "random", "hex", "vars.NAME"} <= names("Placeholders")
    assert {name for name in FUNCTIONS if not name.startswith("pad")} | {"pad3"} == names("Functions")
    assert {"%" + name for name in DIRECTIVES} == names("Time")


def test_number_in_templates_reference_is_read_as_stated() -> None:
    assert compiled("${size}").number(turn()) == 42
    assert compiled("${len:key}").number(turn()) == 3
    assert compiled("${u16be:request[2:4]}").number(turn()) == int.from_bytes(b"T ", "big")
    assert compiled("${u16le:request[2:4]}").number(turn()) == int.from_bytes(b"T ", "little")
    assert compiled("${key}").number(turn()) is None


@pytest.mark.parametrize("text, said", REFUSALS)
def test_rejection_in_templates_reference_is_the_actual_message(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as refused:
        compiled(text)
    assert str(refused.value) == said
