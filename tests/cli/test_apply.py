"""`answerback apply`."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerback.cli import output
from answerback.control.errors import CommentTooLong
from answerback.document.document import load
from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor import ChangeFailed, EtagMismatch
from answerback.v1 import config_service_pb2 as pb
from answerback.v1.problem_pb2 import Problem as ProblemMessage

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


def test_apply_sends_the_file_and_prints_the_new_revision(api: Any, cli: Any, file: Path) -> None:
    api.answers["UpdateConfig"] = pb.UpdateConfigResponse(revision=4, etag="abc-4", changed=True, workers=2)
    result = cli("apply", str(file), "--comment", "why", "--etag", "abc-3")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "revision 4 is active on 2 workers\n", "")
    (request,) = api.asked
    assert (request.comment, request.etag, request.validate_only) == ("why", "abc-3", False)
    assert request.config.listeners[0].name == "echo"


def test_apply_reads_standard_input(api: Any, cli: Any) -> None:
    api.answers["UpdateConfig"] = pb.UpdateConfigResponse(revision=4, changed=True, workers=1)
    result = cli("apply", "-", stdin=TEXT.encode())
    assert (result.exit_code, result.stdout) == (0, "revision 4 is active on 1 worker\n")


def test_apply_with_dry_run_changes_nothing(api: Any, cli: Any, file: Path) -> None:
    api.answers["UpdateConfig"] = pb.UpdateConfigResponse(revision=3, workers=2)
    result = cli("apply", "--dry-run", str(file))
    assert (result.exit_code, result.stdout) == (0, "valid; revision 3 is still active (dry run)\n")
    assert api.asked[0].validate_only


def test_apply_of_equal_configuration_changes_nothing(api: Any, cli: Any, file: Path) -> None:
    api.answers["UpdateConfig"] = pb.UpdateConfigResponse(revision=3, workers=2)
    assert cli("apply", str(file)).stdout == "no change: identical to active revision 3\n"


def test_apply_with_json_output_prints_the_revision(api: Any, cli: Any, file: Path) -> None:
    api.answers["UpdateConfig"] = pb.UpdateConfigResponse(revision=4, etag="abc-4", changed=True, workers=2)
    result = cli("apply", "-o", "json", str(file))
    assert json.loads(result.stdout) == {"revision": 4, "etag": "abc-4", "changed": True, "workers": 2}


def test_apply_of_invalid_file_sends_nothing(api: Any, cli: Any, file: Path) -> None:
    file.write_text(TEXT.replace("name:", "nome:"))
    result = cli("apply", str(file))
    assert (result.exit_code, result.stdout, api.asked) == (1, "", [])
    assert f"{file}:2:5: listeners[0].nome: " in result.stderr
    assert result.stderr.endswith(f"Error: {file}: 1 problem; nothing was changed\n")


def test_apply_rejected_by_the_server_prints_lines_of_the_file(api: Any, cli: Any, file: Path) -> None:
    problems = [Problem("listeners[0].address", "taken"), Problem("listeners[0].rules[0].do", "odd")]
    api.answers["UpdateConfig"] = InvalidConfig(problems[:1])
    found = (ProblemMessage(path=one.path, message=one.message) for one in problems)
    api.answers["ValidateConfig"] = pb.ValidateConfigResponse(problems=found)
    result = cli("apply", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"{file}:3:14: listeners[0].address: taken\n"
        f"{file}:5:13: listeners[0].rules[0].do: odd\n"
        f"Error: {file}: 2 problems; nothing was changed\n"
    )


def test_apply_rejected_prints_the_problem_that_validation_no_longer_finds(api: Any, cli: Any, file: Path) -> None:
    api.answers["UpdateConfig"] = InvalidConfig([Problem("listeners[0].address", "taken")])
    api.answers["ValidateConfig"] = pb.ValidateConfigResponse()
    assert f"{file}:3:14: listeners[0].address: taken\n" in cli("apply", str(file)).stderr


@pytest.mark.parametrize(
    "error, text",
    [
        (EtagMismatch("abc-9"), str(EtagMismatch("abc-9"))),
        (ChangeFailed("worker 1 died"), "worker 1 died; nothing has changed"),
        (CommentTooLong("2000 characters"), "comment: 2000 characters"),
    ],
)
def test_apply_that_fails_prints_the_error_of_the_server(
    api: Any, cli: Any, file: Path, error: Exception, text: str
) -> None:
    api.answers["UpdateConfig"] = error
    result = cli("apply", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: 127.0.0.1:{api.port}: {text}\n"


def test_apply_of_missing_file_fails(cli: Any, tmp_path: Path) -> None:
    result = cli("apply", str(tmp_path / "none.yaml"))
    assert (result.exit_code, result.stderr) == (1, f"Error: {tmp_path}/none.yaml: No such file or directory\n")


# ── On a terminal ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def terminal(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    former = load(TEXT.replace("7000", "6999")).config
    api.answers["GetConfig"] = pb.GetConfigResponse(config=former, revision=3, etag="abc-3")
    api.answers["UpdateConfig"] = pb.UpdateConfigResponse(revision=4, etag="abc-4", changed=True, workers=2)


@pytest.mark.usefixtures("terminal")
def test_apply_on_a_terminal_shows_the_difference_and_asks(api: Any, cli: Any, file: Path) -> None:
    result = cli("apply", str(file), stdin=b"y\n")
    assert (result.exit_code, result.stdout) == (0, "revision 4 is active on 2 workers\n")
    assert result.stderr.startswith(f"--- revision 3\n+++ {file}\n@@ ")
    assert "\n-    address: 127.0.0.1:6999\n+    address: 127.0.0.1:7000\n" in result.stderr
    assert "Apply this configuration? [y/N]: " in result.stderr
    _, tried, done = api.asked
    assert (tried.validate_only, tried.etag) == (True, "abc-3")
    assert (done.validate_only, done.etag) == (False, "abc-3")  # no later one is overwritten


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("said", [b"n\n", b"\n"])
def test_apply_not_confirmed_changes_nothing(api: Any, cli: Any, file: Path, said: bytes) -> None:
    result = cli("apply", str(file), stdin=said)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("Error: nothing was changed\n")
    assert [request.validate_only for request in api.asked[1:]] == [True]


@pytest.mark.usefixtures("terminal")
def test_apply_with_yes_asks_no_confirmation(cli: Any, file: Path) -> None:
    result = cli("apply", "--yes", str(file))
    assert (result.exit_code, "[y/N]" in result.stderr, "+++" in result.stderr) == (0, False, True)


@pytest.mark.usefixtures("terminal")
def test_apply_without_changes_asks_no_confirmation(api: Any, cli: Any, file: Path) -> None:
    api.answers["GetConfig"].config.CopyFrom(load(TEXT).config)
    result = cli("apply", str(file))
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.usefixtures("terminal")
def test_apply_rejected_by_the_server_asks_no_confirmation(api: Any, cli: Any, file: Path) -> None:
    api.answers["UpdateConfig"] = InvalidConfig([Problem("listeners[0].address", "taken")])
    api.answers["ValidateConfig"] = pb.ValidateConfigResponse()
    result = cli("apply", str(file))
    assert (result.exit_code, "[y/N]" in result.stderr) == (1, False)
    assert f"{file}:3:14: listeners[0].address: taken\n" in result.stderr
