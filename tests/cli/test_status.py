"""`answerback status`."""

import json
from typing import Any

import pytest

from answerback.control.authorisation import PermissionDenied
from answerback.v1.config_pb2 import ACCEPT_STALL, ENGINE_CALLBACK
from answerback.v1.journal_service_pb2 import (
    Body,
    Exchange,
    ExchangeFilter,
    ListExchangesRequest,
    ListExchangesResponse,
)
from answerback.v1.operations_service_pb2 import DRAIN_STATE_DRAINED, STATE_NOT_SERVING, GetStatusResponse


@pytest.fixture
def status() -> GetStatusResponse:
    status = GetStatusResponse(
        version="0.1.0",
        instance="abc",
        revision=2,
        etag="abc-2",
        state=STATE_NOT_SERVING,
        reason="worker 0: five deaths",
    )
    status.start_time.FromJsonString("2026-01-02T03:04:05.678Z")
    listener = status.listeners.add(name="hello", address="0.0.0.0:8000", engine=ENGINE_CALLBACK, accept=ACCEPT_STALL)
    listener.connections_accepted, listener.connections_open, listener.requests = 120, 3, 117
    listener.requests_unmatched = 4
    worker = status.workers.add(index=0, pid=4711, revision=2, restarts=1)
    worker.start_time.FromJsonString("2026-01-02T03:05:00Z")
    status.workers.add(index=1)
    status.last_applied.time.FromJsonString("2026-01-02T03:06:00Z")
    status.last_applied.origin, status.last_applied.comment = "api", "slower\x1b[2J"
    status.last_rejected.time.FromJsonString("2026-01-02T03:07:00Z")
    status.last_rejected.origin = "file"
    status.last_rejected.problems.add(path="listeners[0].name", message="is missing")
    status.config_file.path, status.config_file.watched = "answerback.yaml", True
    return status


def test_status_without_output_option_prints_tables(api: Any, cli: Any, status: GetStatusResponse) -> None:
    api.answers["GetStatus"] = status
    result = cli("status")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "Answerback 0.1.0  NOT_SERVING: worker 0: five deaths",
        "revision 2 (etag abc-2), up since 2026-01-02T03:04:05Z",
        "",
        "LISTENER  ADDRESS       ENGINE    MODE   ACCEPTED  OPEN  REQUESTS  UNMATCHED",
        "hello     0.0.0.0:8000  CALLBACK  STALL       120     3       117          4",
        "",
        "WORKER   PID  REVISION  RESTARTS  SINCE",
        "     0  4711         2         1  2026-01-02T03:05:00Z",
        "     1     0         0         0  -",
        "",
        "last applied  2026-01-02T03:06:00Z  from api: slower\\x1b[2J",
        "last rejected  2026-01-02T03:07:00Z  from file",
        "  listeners[0].name: is missing",
        "config file   answerback.yaml (watched): applied",
    ]


def test_status_of_drained_listener_says_drained(api: Any, cli: Any, status: GetStatusResponse) -> None:
    status.listeners[0].drain = DRAIN_STATE_DRAINED
    api.answers["GetStatus"] = status
    assert "hello     0.0.0.0:8000  CALLBACK  DRAINED       120" in cli("status").stdout


def test_status_with_json_output_prints_the_status(api: Any, cli: Any, status: GetStatusResponse) -> None:
    api.answers["GetStatus"] = status
    data = json.loads(cli("status", "-o", "json").stdout)
    assert (data["state"], data["listeners"][0]["requests"], data["workers"][0]["pid"]) == (
        "STATE_NOT_SERVING",
        117,
        4711,
    )
    assert 'last_rejected:\n  time: "2026-01-02T03:07:00Z"\n  origin: file\n' in cli("status", "-o", "yaml").stdout


def test_status_without_changes_prints_no_last_change(api: Any, cli: Any) -> None:
    api.answers["GetStatus"] = GetStatusResponse(version="0.1.0")
    result = cli("status")
    assert result.exit_code == 0
    assert "last" not in result.stdout


def test_rejection_of_a_file_has_its_line_and_column(api: Any, cli: Any, status: GetStatusResponse) -> None:
    status.last_rejected.problems.add(path="listeners[1]", message="has no address", line=12, column=5)
    status.last_rejected.problems.add(message="not UTF-8", line=3, column=1)
    status.config_file.problems.add(path="listeners[1]", message="has no address", line=12, column=5)
    api.answers["GetStatus"] = status
    lines = cli("status").stdout.splitlines()
    assert lines[-4:] == [
        "  listeners[0].name: is missing",
        "  12:5: listeners[1]: has no address",
        "  3:1: not UTF-8",
        "config file   answerback.yaml (watched): rejected",
    ]
    data = json.loads(cli("status", "-o", "json").stdout)
    assert "line" not in data["last_rejected"]["problems"][0]
    assert data["config_file"]["problems"] == [
        {"path": "listeners[1]", "message": "has no address", "line": 12, "column": 5}
    ]


def test_configuration_that_replaced_the_file_is_named(api: Any, cli: Any, status: GetStatusResponse) -> None:
    status.config_file.differs_since = 2
    api.answers["GetStatus"] = status
    assert cli("status").stdout.splitlines()[-1] == (
        "config file   answerback.yaml (watched): applied; the active configuration differs since revision 2"
    )


@pytest.mark.parametrize(
    "mismatch, why",
    [('rules[0]: is not "PING": byte 1 is "O"', 'rules[0]: is not "PING": byte 1 is "O"'), ("", "no rule matches")],
)
def test_last_unmatched_request_is_shown_with_the_nearest_rule(
    api: Any, cli: Any, status: GetStatusResponse, mismatch: str, why: str
) -> None:
    exchange = Exchange(listener="hello", mismatch=mismatch, request=Body(data=b"PONG\r", size=5))
    exchange.time.FromJsonString("2026-01-02T03:08:00Z")
    api.answers["GetStatus"] = status
    api.answers["ListExchanges"] = ListExchangesResponse(exchanges=[exchange])
    assert cli("status").stdout.splitlines()[-1] == f'last unmatched  2026-01-02T03:08:00Z  hello  "PONG\\r": {why}'
    assert api.asked[-1] == ListExchangesRequest(filter=ExchangeFilter(unmatched=True), page_size=1, newest=True)
    assert json.loads(cli("status", "-o", "json").stdout)["last_unmatched"]["request"] == {"text": "PONG\r"}


@pytest.mark.parametrize("answer", [ListExchangesResponse(), PermissionDenied("/answerback.v1.JournalService/List")])
def test_status_without_an_unmatched_request_in_the_journal_says_nothing_of_it(
    api: Any, cli: Any, status: GetStatusResponse, answer: Any
) -> None:
    api.answers["GetStatus"] = status
    api.answers["ListExchanges"] = answer
    result = cli("status")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1].startswith("config file")


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_watched_status_is_printed_again_until_interrupted(
    api: Any, cli: Any, status: GetStatusResponse, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        status.revision += 1
        if len(paused) == 3:
            raise KeyboardInterrupt

    api.answers["GetStatus"] = lambda _: status
    monkeypatch.setattr("answerback.cli.status.PAUSE.wait", pause)
    result = cli("status", "--watch", "-o", form)
    assert (result.exit_code, result.stderr, paused) == (130, "", [1.0] * 3)
    revision = {"table": "revision {} (etag", "json": '"revision": {}, "etag"', "yaml": "\nrevision: {}\n"}[form]
    assert [result.stdout.count(revision.format(number)) for number in (2, 3, 4, 5)] == [1, 1, 1, 0]
    if form == "json":
        assert [json.loads(line)["revision"] for line in result.stdout.splitlines()] == [2, 3, 4]


def test_journal_is_not_asked_if_all_requests_matched(api: Any, cli: Any, status: GetStatusResponse) -> None:
    status.listeners[0].requests_unmatched = 0
    api.answers["GetStatus"] = status
    assert cli("status").exit_code == 0
    assert len(api.asked) == 1
