"""`answerback diff`."""

from pathlib import Path
from typing import Any

import pytest

from answerback.document.document import load
from answerback.v1 import config_service_pb2 as pb
from answerback.v1.problem_pb2 import Problem

TEXT = """\
listeners:
- name: echo
  address: 127.0.0.1:7000
  rules:
  - do: [echo]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "answerback.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture(autouse=True)
def active(api: Any) -> None:
    api.answers["GetConfig"] = pb.GetConfigResponse(config=load(TEXT).config, revision=3, etag="abc-3")
    api.answers["ValidateConfig"] = pb.ValidateConfigResponse()


def test_diff_of_equal_configurations_exits_with_0(cli: Any, file: Path) -> None:
    listener = "{address: 127.0.0.1:7000, rules: [{do: [echo: {}]}], name: echo}"
    file.write_text(f"# with a comment, in another order\nlisteners: [{listener}]")
    result = cli("diff", str(file))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_diff_of_different_configurations_exits_with_1(cli: Any) -> None:
    result = cli("diff", "-", stdin=TEXT.replace("7000", "7001").encode())
    assert (result.exit_code, result.stderr) == (1, "")
    assert (
        result.stdout
        == """\
--- revision 3
+++ <stdin>
@@ -1,6 +1,6 @@
 listeners:
   - name: echo
-    address: 127.0.0.1:7000
+    address: 127.0.0.1:7001
     rules:
       - do:
           - echo: {}
"""
    )


def test_diff_of_invalid_configuration_exits_with_2(api: Any, cli: Any, file: Path) -> None:
    api.answers["ValidateConfig"].problems.append(Problem(path="listeners[0].address", message="taken"))
    result = cli("diff", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"{file}:3:12: listeners[0].address: taken\nError: {file}: 1 problem; it would be rejected\n"
    )


@pytest.mark.parametrize("args", [("none.yaml",), (), ("a", "b")])
def test_diff_with_invalid_usage_exits_with_2(cli: Any, args: tuple[str, ...]) -> None:
    result = cli("diff", *args)
    assert (result.exit_code, result.stdout) == (2, "")


def test_diff_with_no_server_listening_exits_with_2(cli: Any, file: Path) -> None:
    result = cli("diff", "--server", "unix:/none", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Is `answerback serve` running?" in result.stderr
