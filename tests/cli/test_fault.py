"""`answerback fault` and its subcommands."""

import json
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from answerback.document.document import load
from answerback.language.editing import NoSuchListener
from answerback.language.fault_editing import FaultExists, NoSuchFault
from answerback.language.problems import InvalidConfig, Problem
from answerback.v1 import config_pb2 as v1
from answerback.v1 import listener_service_pb2 as pb

MADE: dict[str, Any] = {"revision": 3, "etag": "abc-3", "changed": True, "workers": 2}
A, B = load("""
listeners:
- name: a
  address: 127.0.0.1:1
  faults: [{name: slow, expire_time: 2026-11-29T06:00:00.5Z, latency: 1s}, drop]
- {name: b, address: "127.0.0.1:2", faults: [{times: 2, reset: {}}]}
""").config.listeners
TABLE = """\
LISTENER  FAULT      KIND     UNTIL
a         slow       latency  2026-11-29T06:00:00Z
a         faults[1]  drop     -
b         faults[0]  reset    -
"""


def added(**fields: Any) -> pb.AddFaultResponse:
    return pb.AddFaultResponse(fault=v1.Fault(name="slow", drop=v1.Fault.Drop()), **{**MADE, **fields})


@pytest.mark.parametrize(
    "words, fault",
    [
        (["latency=200ms"], {"latency": {"fixed": {"nanos": 200_000_000}}}),
        (["latency.fixed=1s"], {"latency": {"fixed": {"seconds": 1}}}),
        (["drop"], {"drop": {}}),
        (["drop", "probability=0.5", "rules=[x, y]"], {"drop": {}, "probability": 0.5, "rules": ["x", "y"]}),
        (["truncate.bytes=3", "truncate.reset=true"], {"truncate": {"bytes": 3, "reset": True}}),
        (["drop", "--name", "a: b"], {"name": "a: b", "drop": {}}),
        (["drop", "name=x"], {"name": "x", "drop": {}}),
        (["drop", "expire_time=2026-11-29T06:00:00Z"], {"drop": {}, "expire_time": {"seconds": 1795932000}}),
    ],
)
def test_fault_is_added_with_its_fields(cli: Any, api: Any, words: list[str], fault: dict[str, Any]) -> None:
    api.answers["AddFault"] = added()
    result = cli("fault", "add", "a", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "revision 3 is active on 2 workers\nfault slow applies to a\n"
    assert api.asked == [pb.AddFaultRequest(listener="a", fault=v1.Fault(**fault))]


def test_time_to_live_and_options_of_a_change_are_sent(cli: Any, api: Any) -> None:
    answer = added()
    answer.fault.expire_time.FromJsonString("2026-11-29T06:00:00Z")
    api.answers["AddFault"] = answer
    words = ("--ttl", "1m30.5s", "--replace", "--comment", "why", "--etag", "abc-2")
    result = cli("fault", "add", "a", "drop", *words)
    assert result.stdout.endswith("fault slow applies to a until 2026-11-29T06:00:00Z\n")
    assert api.asked == [
        pb.AddFaultRequest(
            listener="a",
            fault=v1.Fault(drop=v1.Fault.Drop()),
            ttl=Duration(seconds=90, nanos=500_000_000),
            replace=True,
            comment="why",
            etag="abc-2",
        )
    ]


def test_dry_run_says_that_nothing_changed(cli: Any, api: Any) -> None:
    api.answers["AddFault"] = added(changed=False)
    result = cli("fault", "add", "a", "drop", "--dry-run")
    assert result.stdout == "valid; revision 3 is still active (dry run)\n"
    assert api.asked[0].validate_only


def test_added_fault_is_data_for_programs(cli: Any, api: Any) -> None:
    api.answers["AddFault"] = added()
    data = json.loads(cli("fault", "add", "a", "drop", "-o", "json").stdout)
    assert (data["fault"]["name"], data["revision"]) == ("slow", 3)


@pytest.mark.parametrize(
    "words, said",
    [
        (["latency=1x"], "fault of a: latency.fixed: a duration is written like"),
        (["latancy=1s"], "fault of a: latancy"),
        (["probability=often"], "fault of a: probability: a number is expected"),
    ],
)
def test_fault_that_is_none_is_rejected_without_a_call(cli: Any, api: Any, words: list[str], said: str) -> None:
    result = cli("fault", "add", "a", *words)
    assert (result.exit_code, result.stdout, api.asked) == (1, "", [])
    assert said in result.stderr
    assert "nothing was changed" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["add", "a"],
        ["add", "a", "=1"],
        ["add", "a", "drop", "drop"],
        ["add", "a", "drop", "name=x", "--name", "y"],
        ["add", "a", "drop", "--ttl", "soon"],
        ["add", "a", "latency=\n1s"],
        ["remove", "a"],
        ["remove"],
        ["list", "a", "b"],
    ],
)
def test_wrong_usage_exits_with_2(cli: Any, api: Any, words: list[str]) -> None:
    assert cli("fault", *words).exit_code == 2
    assert api.asked == []


def test_problems_that_the_server_finds_have_paths_in_the_fault(cli: Any, api: Any) -> None:
    api.answers["AddFault"] = InvalidConfig([Problem("fault.corrupt.bytes", "too few"), Problem("fault", "empty")])
    result = cli("fault", "add", "a", "corrupt.bytes=0")
    assert result.exit_code == 1
    assert "fault of a: corrupt.bytes: too few\nfault of a: empty\n" in result.stderr


@pytest.mark.parametrize("missing", [False, True])
def test_fault_is_removed(cli: Any, api: Any, missing: bool) -> None:
    api.answers["RemoveFault"] = pb.RemoveFaultResponse(**MADE)
    result = cli("fault", "remove", "a", "slow", *(["--allow-missing"] if missing else []))
    assert (result.exit_code, result.stdout) == (0, "revision 3 is active on 2 workers\n")
    assert api.asked == [pb.RemoveFaultRequest(listener="a", fault="slow", allow_missing=missing)]


@pytest.mark.parametrize(
    "words, method, error",
    [
        (["add", "a", "drop", "--name", "x"], "AddFault", FaultExists("a", "x")),
        (["add", "c", "drop"], "AddFault", NoSuchListener("c")),
        (["remove", "a", "x"], "RemoveFault", NoSuchFault("a", "x")),
    ],
)
def test_errors_of_the_server_exit_with_1(cli: Any, api: Any, words: list[str], method: str, error: Exception) -> None:
    api.answers[method] = error
    result = cli("fault", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(error) in result.stderr


def test_faults_are_listed_of_all_listeners_or_one(cli: Any, api: Any) -> None:
    api.answers["ListListeners"] = pb.ListListenersResponse(listeners=[A, B])
    api.answers["GetListener"] = pb.GetListenerResponse(listener=B)
    assert [line.rstrip() for line in cli("fault", "list").stdout.splitlines()] == TABLE.splitlines()
    assert cli("fault", "list", "b").stdout.splitlines()[1:] == ["b         faults[0]  reset  -    "]
    assert api.asked[-1] == pb.GetListenerRequest(name="b")


def test_list_is_data_for_programs(cli: Any, api: Any) -> None:
    api.answers["ListListeners"] = pb.ListListenersResponse(listeners=[A, B])
    faults = json.loads(cli("fault", "list", "-o", "json").stdout)["faults"]
    assert [(each["listener"], each["name"]) for each in faults] == [
        ("a", "slow"),
        ("a", "faults[1]"),
        ("b", "faults[0]"),
    ]
    assert faults[0]["expire_time"] == "2026-11-29T06:00:00.500Z"
