"""`answerback restart`."""

import json
from typing import Any

from google.protobuf.duration_pb2 import Duration

from answerback.supervisor import ChangeFailed
from answerback.v1 import operations_service_pb2 as pb

REPLACED = pb.RestartWorkersResponse(step=pb.RESTART_STEP_REPLACED, worker=1, pid=4711, connections=5)
RESTARTED = pb.RestartWorkersResponse(step=pb.RESTART_STEP_RESTARTED, worker=1, pid=4711)
CUT_OFF = pb.RestartWorkersResponse(step=pb.RESTART_STEP_RESTARTED, worker=2, pid=4712, connections=3)


def test_restart_prints_a_line_for_each_step(api: Any, cli: Any) -> None:
    api.answers["RestartWorkers"] = [REPLACED, RESTARTED, CUT_OFF]
    result = cli("restart", "--over", "1m30s", "--grace", "500ms")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "worker 1: replaced by process 4711; the old process still has 5 connections",
        "worker 1: restarted",
        "worker 2: restarted; 3 connections were reset",
    ]
    assert api.asked == [pb.RestartWorkersRequest(over=Duration(seconds=90), grace=Duration(nanos=500_000_000))]


def test_restart_with_json_output_prints_an_object_for_each_step(api: Any, cli: Any) -> None:
    api.answers["RestartWorkers"] = [REPLACED]
    (line,) = cli("restart", "-o", "json").stdout.splitlines()
    assert json.loads(line) == {"worker": 1, "step": "RESTART_STEP_REPLACED", "pid": 4711, "connections": 5}
    assert api.asked == [pb.RestartWorkersRequest(over=Duration(seconds=1))]


def test_restart_that_fails_prints_the_error(api: Any, cli: Any) -> None:
    api.answers["RestartWorkers"] = [REPLACED, ChangeFailed("cannot replace worker 2")]
    result = cli("restart")
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    assert result.stderr.endswith("cannot replace worker 2; nothing has changed\n")


def test_restart_with_invalid_duration_exits_with_2(cli: Any) -> None:
    assert cli("restart", "--over", "soon").exit_code == 2
