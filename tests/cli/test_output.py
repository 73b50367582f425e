"""How commands write their data."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from answerback.cli import output
from answerback.v1.operations_service_pb2 import STATE_SERVING, GetStatusResponse

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abyn_", min_size=1), inner),
    max_leaves=10,
)


@pytest.fixture
def status() -> GetStatusResponse:
    status = GetStatusResponse(version="1", revision=1 << 40, state=STATE_SERVING)
    status.start_time.FromJsonString("2026-01-02T03:04:05Z")
    status.listeners.add(name="a", requests=7)
    return status


def test_message_is_converted_to_plain_data(status: GetStatusResponse) -> None:
    assert output.plain(status) == {
        "version": "1",
        "instance": "",
        "start_time": "2026-01-02T03:04:05Z",
        "revision": 1 << 40,
        "etag": "",
        "state": "STATE_SERVING",
        "reason": "",
        "listeners": [
            {
                "name": "a",
                "address": "",
                "engine": "ENGINE_UNSPECIFIED",
                "connections_accepted": 0,
                "connections_open": 0,
                "requests": 7,
                "requests_unmatched": 0,
                "accept": "ACCEPT_UNSPECIFIED",
                "drain": "DRAIN_STATE_UNSPECIFIED",
            }
        ],
        "workers": [],
        "signals": [],
    }


def test_output_as_json_and_yaml_has_the_same_data(
    status: GetStatusResponse, capsys: pytest.CaptureFixture[str]
) -> None:
    data = output.plain(status)
    output.write(data, "json")
    assert json.loads(capsys.readouterr().out) == data
    output.write(data, "yaml")
    text = capsys.readouterr().out
    assert 'listeners:\n  - name: a\n    address: ""\n' in text
    assert yaml.load(text, yaml.CBaseLoader)["listeners"][0]["requests"] == "7"  # noqa: TID251


@settings(max_examples=30)
@given(st.dictionaries(st.text("abyn_", min_size=1), TREES))
def test_output_as_yaml_loads_as_the_same_data(data: dict[str, Any]) -> None:
    def shown(value: Any) -> Any:
        """As a loader that gives everything back as written sees it."""
        if isinstance(value, dict):
            return {key: shown(item) for key, item in value.items()}
        if isinstance(value, list):
            return [shown(item) for item in value]
        return value if isinstance(value, str) else json.dumps(value)

    text = "\n".join(output._yaml(data))
    assert yaml.load(text, yaml.CBaseLoader) == shown(data)  # noqa: TID251


@pytest.mark.parametrize("word", ["yes", "No", "true", "null", "on", "1", "a: b", "- a", "#", " a", ""])
def test_text_with_a_meaning_in_yaml_is_quoted(word: str) -> None:
    assert list(output._yaml(word)) == [json.dumps(word)]


def test_table_in_a_pipe_is_as_wide_as_its_content(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("NAME", "COUNT"), [("[bold]x[/bold]", 7), ("y" * 200, 1000)])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "NAME".ljust(200) + "  COUNT",
        "[bold]x[/bold]".ljust(200) + "      7",
        "y" * 200 + "   1000",
    ]


UNSEEN = "\x00\x1b\x7f\x80\x9b\xad\u034f\u115f\u200b\u200e\u2028\u2029\u202e\u2066\ufe0f\ufeff\ud800\ufffe\U000e0101"


@pytest.mark.parametrize("one", UNSEEN, ids=ascii)
def test_output_escapes_invisible_characters_in_every_format(one: str, capsys: pytest.CaptureFixture[str]) -> None:
    escaped = output.printable(f"a{one}b")
    assert escaped.isascii()
    assert escaped[1] == "\\"
    output.line(f"é{one}")
    assert capsys.readouterr().out == f"é{output.printable(one)}\n"
    text = output.as_json({"é": [one]})
    assert one not in text
    assert "é" in text
    assert json.loads(text) == {"é": [one]}
    (scalar,) = output._yaml(one)
    assert one not in scalar


@pytest.mark.parametrize("text", ["plain", "é", "\N{SNOWMAN}", "日本語", "\N{GRINNING FACE}", "\\x1b", "[red]"])
def test_output_keeps_printable_text(text: str) -> None:
    assert output.printable(text) == text
    assert text.replace("\\", "\\\\") in output.as_json([text])


@given(st.text())
def test_output_as_json_is_one_printable_line_with_the_same_data(text: str) -> None:
    written = output.as_json({text: text})
    assert json.loads(written) == {text: text}
    assert written.isprintable()


def test_document_keeps_line_breaks_and_line_escapes_them(capsys: pytest.CaptureFixture[str]) -> None:
    output.document("one\n  two\x1b\n")
    output.line("one\ntwo")
    assert capsys.readouterr().out == "one\n  two\\x1b\none\\ntwo\n"


def test_output_escapes_terminal_control_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.printable("a\x1b[31m\n\N{SNOWMAN}\x9b") == "a\\x1b[31m\\n\N{SNOWMAN}\\x9b"
    output.table(("X",), [("\x1b[31m",)])
    assert "\\x1b[31m" in capsys.readouterr().out
