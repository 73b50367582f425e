"""`answerback listeners` and its subcommands."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from answerback.document.document import load
from answerback.language.editing import ListenerExists, NoSuchListener
from answerback.language.problems import InvalidConfig, Problem
from answerback.v1 import listener_service_pb2 as pb
from answerback.v1 import operations_service_pb2 as ops

TWO = """
listeners:
- name: a
  address: 127.0.0.1:1
  framing: line
  rules: [{do: [echo]}]
- {name: b, address: "127.0.0.1:2", engine: CALLBACK}
"""
A, B = load(TWO).config.listeners
MADE: dict[str, Any] = {"revision": 3, "etag": "abc-3", "changed": True, "workers": 2}
DONE = "revision 3 is active on 2 workers\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two listeners."""
    path = tmp_path / "two.yaml"
    path.write_text(TWO)
    return path


@pytest.fixture
def two(api: Any) -> None:
    """A server with both listeners; `a` is bound to another port than its configuration says."""
    api.answers["ListListeners"] = pb.ListListenersResponse(listeners=[A, B])
    bound = [ops.ListenerStatus(name="a", address="127.0.0.1:41000")]
    api.answers["GetStatus"] = ops.GetStatusResponse(listeners=bound)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("words", [("listeners",), ("listeners", "list")])
def test_listeners_without_output_option_prints_a_table_with_bound_ports(cli: Any, words: tuple[str, ...]) -> None:
    result = cli(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["LISTENER", "ADDRESS", "ENGINE", "FRAMING", "RULES", "FAULTS"],
        ["a", "127.0.0.1:41000", "-", "line", "1", "0"],
        ["b", "127.0.0.1:2", "CALLBACK", "read", "0", "0"],
    ]


@pytest.mark.usefixtures("two")
def test_listeners_with_json_output_prints_the_listeners(cli: Any) -> None:
    listeners = json.loads(cli("listeners", "-o", "json").stdout)["listeners"]
    assert [(one["address"], one["bound_address"]) for one in listeners] == [
        ("127.0.0.1:1", "127.0.0.1:41000"),
        ("127.0.0.1:2", ""),
    ]
    assert [one["name"] for one in listeners] == ["a", "b"]
    assert listeners[0]["framing"] == {"line": {}}
    assert cli("listeners", "-o", "yaml").stdout.startswith("listeners:\n")


def test_listeners_get_output_is_accepted_by_update(api: Any, cli: Any) -> None:
    api.answers["GetListener"] = pb.GetListenerResponse(listener=A, revision=3, etag="abc-3")
    shown = cli("listeners", "get", "a").stdout
    assert shown.startswith("# revision 3, etag abc-3\n")
    assert list(load(shown).config.listeners) == [A]
    assert json.loads(cli("listeners", "get", "a", "-o", "json").stdout)["listeners"][0]["name"] == "a"
    api.answers["UpdateListener"] = pb.UpdateListenerResponse(listener=A, **MADE)
    assert cli("listeners", "update", "-", stdin=shown.encode()).stdout == DONE
    assert api.asked[-1] == pb.UpdateListenerRequest(listener=A, update_mask=FieldMask(paths=["*"]))


def test_listeners_create_sends_the_named_listener(api: Any, cli: Any, file: Path) -> None:
    api.answers["CreateListener"] = pb.CreateListenerResponse(listener=B, **MADE)
    result = cli("listeners", "create", str(file), "--name", "b", "--etag", "abc-2", "--comment", "why")
    assert (result.exit_code, result.stdout) == (0, DONE)
    assert api.asked == [pb.CreateListenerRequest(listener=B, etag="abc-2", comment="why")]
    data = json.loads(cli("listeners", "create", str(file), "--name", "b", "-o", "json").stdout)
    assert (data["revision"], data["listener"]["name"]) == (3, "b")


def test_listeners_update_with_fields_sends_an_update_mask(api: Any, cli: Any, file: Path) -> None:
    api.answers["UpdateListener"] = pb.UpdateListenerResponse(revision=3)
    words = ("--name", "a", "--field", "rules", "--field", "limits.lifetime", "--allow-missing", "--dry-run")
    assert cli("listeners", "update", str(file), *words).stdout == "valid; revision 3 is still active (dry run)\n"
    mask = FieldMask(paths=["rules", "limits.lifetime"])
    assert api.asked == [pb.UpdateListenerRequest(listener=A, update_mask=mask, allow_missing=True, validate_only=True)]


def test_listeners_set_sends_the_assigned_fields_and_their_mask(api: Any, cli: Any) -> None:
    api.answers["UpdateListener"] = pb.UpdateListenerResponse(**MADE)
    words = ("accept=STALL", "limits.lifetime=5s", "limits.max_connections=3", "faults=", "rules=[{do: [echo]}]")
    result = cli("listeners", "set", "a", *words, "--comment", "why")
    assert (result.exit_code, result.stdout, result.stderr) == (0, DONE, "")
    text = "listeners: [{name: a, accept: STALL, limits: {lifetime: 5s, max_connections: 3}, rules: [{do: [echo]}]}]"
    assert api.asked == [
        pb.UpdateListenerRequest(
            listener=load(text).config.listeners[0],
            update_mask=FieldMask(paths=["accept", "limits.lifetime", "limits.max_connections", "faults", "rules"]),
            comment="why",
        )
    ]


@pytest.mark.parametrize("name", ["a", "a: b", "- x", 'say "hi"', "é", "null"])
def test_listeners_set_takes_any_name(api: Any, cli: Any, name: str) -> None:
    api.answers["UpdateListener"] = pb.UpdateListenerResponse(**MADE)
    assert cli("listeners", "set", "--", name, "accept=STALL").exit_code == 0
    assert api.asked[0].listener.name == name


@pytest.mark.parametrize(
    "words, code, said",
    [
        (("accept=STAL",), 1, "a: accept: no such word: 'STAL'; did you mean STALL?"),
        (("accept=STALL", "limits.lifetimes=5s"), 1, "a: limits.lifetimes: no such field"),
        (("limits.lifetime",), 2, "'limits.lifetime' is not FIELD=VALUE"),
        (("limits..lifetime=5s",), 2, "'limits..lifetime=5s' is not FIELD=VALUE"),
        (("limits={}", "limits.lifetime=5s"), 2, "limits.lifetime: limits is set as a whole already"),
        (("limits.lifetime=5s", "limits={}"), 2, "limits is set twice"),
        (("accept=STALL", "accept=NORMAL"), 2, "accept is set twice"),
        (("accept=STALL\n  name: b",), 2, "accept: the value has more than one line"),
        (("name=b",), 2, "the name of a listener cannot be changed"),
    ],
)
def test_listeners_set_of_invalid_assignment_sends_nothing(
    api: Any, cli: Any, words: tuple[str, ...], code: int, said: str
) -> None:
    result = cli("listeners", "set", "a", *words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert api.asked == []


def test_listeners_set_rejected_by_the_server_names_the_field(api: Any, cli: Any) -> None:
    api.answers["UpdateListener"] = InvalidConfig([Problem("listener.limits.lifetime", "must be shorter")])
    result = cli("listeners", "set", "a", "limits.lifetime=9000h")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "a: limits.lifetime: must be shorter\nError: a: 1 problem; nothing was changed\n"


def test_listeners_delete_sends_the_name(api: Any, cli: Any) -> None:
    api.answers["DeleteListener"] = pb.DeleteListenerResponse(**MADE)
    assert cli("listeners", "delete", "a", "--allow-missing").stdout == DONE
    assert api.asked == [pb.DeleteListenerRequest(name="a", allow_missing=True)]


def test_listeners_create_rejected_prints_lines_of_the_file(api: Any, cli: Any, file: Path) -> None:
    paths = ("listener.address", "listeners[4].address")
    api.answers["CreateListener"] = InvalidConfig([Problem(path, "no") for path in paths])
    result = cli("listeners", "create", str(file), "--name", "b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"{file}:7:22: listeners[1].address: no\n"
        f"{file}: listeners[4].address: no\n"
        f"Error: {file}: 2 problems; nothing was changed\n"
    )


@pytest.mark.parametrize(
    "words, said",
    [
        ((), "has 2 listeners: choose one with --name; nothing was changed"),
        (("--name", "c"), "has no listener 'c'; nothing was changed"),
    ],
)
def test_listeners_create_of_ambiguous_file_is_rejected(
    api: Any, cli: Any, file: Path, words: tuple[str, ...], said: str
) -> None:
    result = cli("listeners", "create", str(file), *words)
    assert (result.exit_code, result.stderr) == (1, f"Error: {file} {said}\n")
    assert not api.asked


def test_listeners_create_of_invalid_file_changes_nothing(cli: Any) -> None:
    result = cli("listeners", "create", "-", stdin=b"listeners: 1")
    assert result.exit_code == 1
    assert "<stdin>: 1 problem; nothing was changed" in result.stderr


@pytest.mark.parametrize(
    "words, method, error",
    [
        (("get", "c"), "GetListener", NoSuchListener("c")),
        (("delete", "c"), "DeleteListener", NoSuchListener("c")),
        (("create", "-"), "CreateListener", ListenerExists("b")),
        (("delete", "c"), "DeleteListener", InvalidConfig([Problem("listeners[0]", "no")])),
    ],
)
def test_listeners_command_rejected_by_the_server_fails(
    api: Any, cli: Any, words: tuple[str, ...], method: str, error: Exception
) -> None:
    api.answers[method] = error
    result = cli("listeners", *words, stdin=b"listeners: [{name: b, address: '127.0.0.1:2'}]")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(error) in result.stderr
