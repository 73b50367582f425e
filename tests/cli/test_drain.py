"""`answerback drain` and `answerback resume`."""

import json
import os
import pty
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf.duration_pb2 import Duration

from answerback.cli import drain
from answerback.language.editing import NoSuchListener
from answerback.supervisor import Stopping
from answerback.v1 import operations_service_pb2 as pb

BEGUN = pb.DrainResponse(state=pb.DRAIN_STATE_DRAINING, connections_open=200)
HALF = pb.DrainResponse(state=pb.DRAIN_STATE_DRAINING, connections_open=100, connections_closed=100)
DONE = pb.DrainResponse(state=pb.DRAIN_STATE_DRAINED, connections_closed=200)


def test_drain_prints_a_line_for_each_step(api: Any, cli: Any) -> None:
    api.answers["Drain"] = [BEGUN, HALF, DONE]
    result = cli("drain", "--over", "1m", "--listener", "a")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "draining: 0 connections closed, 200 open",
        "draining: 100 connections closed, 100 open",
        "drained: 200 connections closed, 0 open",
    ]
    assert api.asked == [pb.DrainRequest(listener="a", over=Duration(seconds=60))]


def test_drain_with_json_output_prints_an_object_for_each_step(api: Any, cli: Any) -> None:
    api.answers["Drain"] = [HALF]
    (line,) = cli("drain", "-o", "json").stdout.splitlines()
    assert json.loads(line) == {
        "state": "DRAIN_STATE_DRAINING",
        "connections_open": 100,
        "connections_closed": 100,
        "connections_reset": 0,
    }


def test_drain_with_grace_sends_it_and_prints_reset_connections(api: Any, cli: Any) -> None:
    api.answers["Drain"] = [pb.DrainResponse(state=pb.DRAIN_STATE_DRAINED, connections_closed=200, connections_reset=3)]
    result = cli("drain", "--grace", "5s")
    assert result.stdout == "drained: 200 connections closed (3 of them reset), 0 open\n"
    assert cli("drain", "--grace", "0s").exit_code == 0
    assert cli("drain").exit_code == 0
    graces = [request.grace.seconds if request.HasField("grace") else None for request in api.asked]
    assert graces == [5, 0, None]


def read(terminal: int) -> str:
    """What comes next; empty once the other end is closed (EIO)."""
    try:
        return os.read(terminal, 1 << 16).decode()
    except OSError:
        return ""


def test_drain_on_a_terminal_shows_a_progress_bar(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, end = pty.openpty()
    api.answers["Drain"] = [BEGUN, HALF, DONE]
    with os.fdopen(end, "w") as screen, monkeypatch.context() as patched:
        patched.setattr("sys.stdout", screen)
        drain.command.main(["--server", f"127.0.0.1:{api.port}"], standalone_mode=False)
    shown = "".join(iter(lambda: read(terminal), ""))
    os.close(terminal)
    assert "100/200" in shown or "200/200" in shown
    assert shown.rstrip().endswith("drained: 200 connections closed, 0 open")


def test_drain_during_a_stop_fails(api: Any, cli: Any) -> None:
    api.answers["Drain"] = [BEGUN, Stopping()]
    result = cli("drain")
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    assert str(Stopping()) in result.stderr


def test_drain_and_resume_of_unknown_listener_fail(api: Any, cli: Any) -> None:
    api.answers["Drain"] = api.answers["Resume"] = NoSuchListener("a")
    for command in ("drain", "resume"):
        result = cli(command, "--listener", "a")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.endswith("no listener 'a'\n")


def test_resume_prints_the_resumed_listeners(api: Any, cli: Any) -> None:
    api.answers["Resume"] = pb.ResumeResponse(listeners=["a", "b"])
    result = cli("resume")
    assert (result.exit_code, result.stdout) == (0, "listening again: a, b\n")
    assert json.loads(cli("resume", "--listener", "a", "-o", "json").stdout) == {"listeners": ["a", "b"]}
    assert api.asked == [pb.ResumeRequest(), pb.ResumeRequest(listener="a")]
    api.answers["Resume"] = pb.ResumeResponse()
    assert cli("resume").stdout == "no listener was drained\n"


def test_drain_with_invalid_duration_exits_with_2() -> None:
    assert CliRunner().invoke(drain.command, ["--over", "soon"]).exit_code == 2
