"""Shared by the tests of the file of --config."""

from pathlib import Path

import pytest

from tests.supervisor.supervising import listener, text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener("one")))
    return path
