"""`answerback show`."""

import json
from typing import Any

from answerback.document.document import load
from answerback.language.builtin import BUILT_IN
from answerback.v1.config_service_pb2 import GetConfigResponse, GetRevisionRequest, GetRevisionResponse, Revision


def test_show_output_loads_as_the_same_configuration(api: Any, cli: Any) -> None:
    api.answers["GetConfig"] = GetConfigResponse(config=BUILT_IN, revision=3, etag="abc-3")
    result = cli("show")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("# revision 3, etag abc-3\nlisteners:\n")
    assert load(result.stdout).config == BUILT_IN


def test_show_with_json_output_is_canonical(api: Any, cli: Any) -> None:
    api.answers["GetConfig"] = GetConfigResponse(config=BUILT_IN, revision=3, etag="abc-3")
    result = cli("show", "-o", "json")
    assert json.loads(result.stdout)["listeners"][0]["framing"] == {"read": {"max_bytes": 1024}}
    assert load(result.stdout).config == BUILT_IN


def test_show_with_table_output_is_an_overview(api: Any, cli: Any) -> None:
    api.answers["GetConfig"] = GetConfigResponse(config=BUILT_IN, revision=3, etag="abc-3")
    rows = [line.split() for line in cli("show", "-o", "table").stdout.splitlines()]
    assert rows == [
        ["LISTENER", "ADDRESS", "ENGINE", "FRAMING", "RULES"],
        ["hello", "0.0.0.0:8000", "-", "read", "1"],
    ]


def test_show_with_revision_prints_that_revision(api: Any, cli: Any) -> None:
    revision = Revision(number=2, etag="abc-2", config=BUILT_IN)
    api.answers["GetRevision"] = GetRevisionResponse(revision=revision)
    result = cli("show", "--revision", "2")
    assert result.stdout.startswith("# revision 2, etag abc-2\nlisteners:\n")
    assert load(result.stdout).config == BUILT_IN
    assert api.asked == [GetRevisionRequest(revision=2)]
