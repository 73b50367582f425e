"""`answerback rollback`."""

import json
from typing import Any

from answerback.language.builtin import BUILT_IN
from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor import NotKept
from answerback.v1 import config_service_pb2 as pb

ANSWER = pb.RollbackConfigResponse(config=BUILT_IN, revision=9, etag="abc-9", changed=True, workers=2)


def test_rollback_command_prints_the_new_revision(api: Any, cli: Any) -> None:
    api.answers["RollbackConfig"] = ANSWER
    result = cli("rollback", "3", "--comment", "too slow", "--etag", "abc-8")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "revision 9 is active on 2 workers\n", "")
    assert api.asked == [pb.RollbackConfigRequest(revision=3, comment="too slow", etag="abc-8")]


def test_rollback_command_with_dry_run_changes_nothing(api: Any, cli: Any) -> None:
    api.answers["RollbackConfig"] = pb.RollbackConfigResponse(revision=8)
    assert cli("rollback", "3", "--dry-run").stdout == "valid; revision 8 is still active (dry run)\n"
    assert api.asked == [pb.RollbackConfigRequest(revision=3, validate_only=True)]


def test_rollback_command_with_json_output_prints_the_revision(api: Any, cli: Any) -> None:
    api.answers["RollbackConfig"] = ANSWER
    expected = {"revision": 9, "etag": "abc-9", "changed": True, "workers": 2}
    assert json.loads(cli("rollback", "3", "-o", "json").stdout) == expected


def test_rollback_command_rejected_prints_the_problems(api: Any, cli: Any) -> None:
    api.answers["RollbackConfig"] = InvalidConfig([Problem("listeners[0].address", "taken")])
    result = cli("rollback", "3")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "revision 3: listeners[0].address: taken\nError: revision 3: 1 problem; nothing was changed\n"
    )


def test_rollback_command_to_unknown_revision_fails(api: Any, cli: Any) -> None:
    api.answers["RollbackConfig"] = NotKept("revision 3 is not in the history")
    result = cli("rollback", "3")
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: 127.0.0.1:{api.port}: revision 3 is not in the history\n",
    )


def test_rollback_command_without_revision_exits_with_2(cli: Any) -> None:
    assert cli("rollback", "0").exit_code == 2
    assert cli("rollback").exit_code == 2
