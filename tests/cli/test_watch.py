"""`answerback watch`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.cli.client import Client
from answerback.language.builtin import BUILT_IN
from answerback.supervisor import NotOfThisHistory, Stopping
from answerback.v1.config_service_pb2 import Revision, WatchConfigRequest, WatchConfigResponse

NOON = Timestamp(seconds=1767355200)
FIRST = WatchConfigResponse(revision=Revision(number=3, etag="abc-3", time=NOON, origin="file", config=BUILT_IN))
SECOND = WatchConfigResponse(
    revision=Revision(number=6, etag="abc-6", time=NOON, origin="api", identity="token", comment="why\x07"), skipped=2
)


def test_watch_prints_a_line_for_each_revision(api: Any, cli: Any) -> None:
    api.answers["WatchConfig"] = [FIRST, SECOND, Stopping()]
    result = cli("watch", "--after", "abc-2")
    assert result.stdout.splitlines() == [
        "2026-01-02T12:00:00Z  revision 3 (etag abc-3) from file",
        (
            "2026-01-02T12:00:00Z  (2 earlier revisions no longer stored)  "
            "revision 6 (etag abc-6) from api (token): why\\x07"
        ),
    ]
    assert (result.exit_code, result.stderr) == (1, f"Error: 127.0.0.1:{api.port}: {Stopping()}\n")
    assert api.asked == [WatchConfigRequest(after_etag="abc-2")]


def test_watch_with_json_output_prints_an_object_for_each_revision(api: Any, cli: Any) -> None:
    api.answers["WatchConfig"] = [FIRST, SECOND, Stopping()]
    first, second = map(json.loads, cli("watch", "-o", "json").stdout.splitlines())
    assert first["revision"]["config"]["listeners"][0]["name"] == "hello"
    assert (second["skipped"], second["revision"]["number"]) == (2, 6)


def test_watch_after_an_etag_of_another_history_fails(api: Any, cli: Any) -> None:
    api.answers["WatchConfig"] = NotOfThisHistory("'abc-9' is of another history")
    result = cli("watch", "--after", "abc-9")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is of another history" in result.stderr


def test_watch_interrupted_exits_with_130(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Iterator[WatchConfigResponse]:
        yield FIRST
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "watch_config", interrupted)
    result = cli("watch")
    assert (result.exit_code, result.stderr) == (130, "")
    assert len(result.stdout.splitlines()) == 1
