"""`answerback history`."""

import json
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from answerback.language.builtin import BUILT_IN
from answerback.v1.config_service_pb2 import ListRevisionsResponse, Revision

NOON = Timestamp(seconds=1767355200)
NEWEST = Revision(number=12, etag="abc-12", time=NOON, origin="rollback", comment="to revision 10\x1b[2J")
OLDER = Revision(number=11, etag="abc-11", time=NOON, origin="api", comment="")


def test_history_prints_a_table_with_the_newest_revision_first(api: Any, cli: Any) -> None:
    api.answers["ListRevisions"] = ListRevisionsResponse(revisions=[NEWEST, OLDER])
    result = cli("history")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["REVISION", "TIME", "ORIGIN", "COMMENT"],
        ["12", "2026-01-02T12:00:00Z", "rollback", "to", "revision", "10\\x1b[2J"],
        ["11", "2026-01-02T12:00:00Z", "api"],
    ]


def test_history_with_json_output_has_etags(api: Any, cli: Any) -> None:
    api.answers["ListRevisions"] = ListRevisionsResponse(revisions=[OLDER])
    time = "2026-01-02T12:00:00Z"
    expected = {"number": 11, "etag": "abc-11", "time": time, "origin": "api", "comment": "", "identity": ""}
    assert json.loads(cli("history", "-o", "json").stdout) == {"revisions": [expected]}
    assert cli("history", "-o", "yaml").stdout.startswith("revisions:\n  - number: 11\n")


def test_history_with_json_output_has_canonical_configurations(api: Any, cli: Any) -> None:
    api.answers["ListRevisions"] = ListRevisionsResponse(revisions=[Revision(number=1, config=BUILT_IN)])
    (revision,) = json.loads(cli("history", "-o", "json").stdout)["revisions"]
    assert revision["config"]["listeners"][0]["framing"] == {"read": {"max_bytes": 1024}}


def test_history_with_limit_reads_pages_until_it(api: Any, cli: Any) -> None:
    api.answers["ListRevisions"] = ListRevisionsResponse(revisions=[NEWEST, OLDER], next_page_token="more")
    assert len(cli("history", "--limit", "5").stdout.splitlines()) == 1 + 5
    assert [request.page_token for request in api.asked] == ["", "more", "more"]


def test_history_with_limit_0_prints_all_revisions(api: Any, cli: Any) -> None:
    api.answers["ListRevisions"] = ListRevisionsResponse(revisions=[NEWEST] * 25)
    assert len(cli("history").stdout.splitlines()) == 1 + 20
    assert len(cli("history", "--limit", "0").stdout.splitlines()) == 1 + 25


def test_history_prints_the_identity_beside_the_origin(api: Any, cli: Any) -> None:
    revision = Revision(number=1, time=NOON, origin="api", identity="alice.example", comment="why")
    api.answers["ListRevisions"] = ListRevisionsResponse(revisions=[revision])
    assert cli("history").stdout.splitlines()[1].split()[2:] == ["api", "(alice.example)", "why"]
