"""Every snippet of the how-to for tests, as a file of tests of its own."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from answerback.testing import Answerback, AsyncAnswerback, AsyncListener, Listener
from tests.docs.consoles import ROOT, blocks
from tests.ports import free_port
from tests.system.conftest import Start

PAGE = ROOT / "docs" / "how-to" / "test-server.md"
CONTAINER_PORT = "8001"


def test_every_snippet_is_a_test_that_passes(start_server: Start, tmp_path: Path) -> None:
    text = PAGE.read_text()
    snippets = [block.text for block in blocks(text) if block.words == ("python",)]
    assert len(snippets) == text.count("```python\n") > 7
    folder = tmp_path / "snippets"
    folder.mkdir()
    for number, snippet in enumerate(snippets):
        tests = [node for node in ast.parse(snippet).body if getattr(node, "name", "").startswith("test_")]
        assert tests, snippet
        (folder / f"test_{number}.py").write_text(snippet.replace(CONTAINER_PORT, str(free_port())))
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    environment = {**os.environ, "ANSWERBACK_SERVER": start_server().admin, "TMPDIR": str(tmp_path)}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = (sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert int(re.findall(r"(\d+) passed", found.stdout)[0]) >= len(snippets)


@pytest.mark.parametrize(
    "of, kinds", [("answerback", (Answerback, AsyncAnswerback)), ("a listener", (Listener, AsyncListener))]
)
def test_tables_name_every_public_attribute(of: str, kinds: tuple[type, type]) -> None:
    table = re.split(rf"^\| of `?{of}`? \|.*$", PAGE.read_text(), flags=re.MULTILINE)[1].partition("\n\n")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)", row)}
    blocking, awaiting = ({name for name in vars(kind) if not name.startswith("_")} for kind in kinds)
    assert named - {"name"} == blocking
    assert awaiting <= blocking
    assert blocking - awaiting <= {"client", "conversation"}, "those that block have no twin to await"
