"""The difference of two configurations, and how it is printed."""

import pytest

from answerback.cli import difference
from answerback.document.document import load

LINES = ["--- a", "+++ b", "@@ -1 +1 @@", "-one\x1b[2J", "+two", " three"]


def test_difference_of_equal_configurations_is_empty() -> None:
    config = load("listeners: []").config
    assert difference.lines(config, config, ("a", "b")) == []


def test_difference_written_to_a_pipe_is_plain_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    difference.write(LINES)
    assert capsys.readouterr().out == "--- a\n+++ b\n@@ -1 +1 @@\n-one\\x1b[2J\n+two\n three\n"


def test_difference_on_a_terminal_is_coloured_unless_no_color(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    difference.write(LINES[3:], err=True)
    assert capsys.readouterr().err == "\x1b[31m-one\\x1b[2J\x1b[0m\n\x1b[32m+two\x1b[0m\n three\n"
    monkeypatch.setenv("NO_COLOR", "1")
    difference.write(LINES[4:], err=True)
    assert capsys.readouterr().err == "+two\n three\n"
