"""Each call, made by both clients on a running server."""

import socket
from datetime import UTC, datetime, timedelta
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from answerback import client as clients
from answerback.client import Problem
from answerback.language.problems import InvalidConfig
from answerback.v1.config_service_pb2 import ListRevisionsRequest, ListRevisionsResponse, Revision
from tests.cli.conftest import Api
from tests.client.conftest import Face
from tests.system.conftest import RunningServer

ECHO: dict[str, Any] = {"name": "echo", "address": "127.0.0.1:0", "rules": [{"do": ["echo"]}]}
TEXT = "listeners:\n  - {name: echo, address: '127.0.0.1:0', rules: [{do: [echo]}]}\n"
BAD = "listeners:\n  - name: echo\n    adress: x\n    address: y\n"


@pytest.mark.parametrize("form", ["mapping", "text", "bytes", "path", "path as text"])
def test_configuration_of_any_form_is_applied(client: Face, config_file: Path, form: str) -> None:
    config_file.write_text(TEXT)
    forms: dict[str, Any] = {
        "mapping": {"listeners": [ECHO]},
        "text": TEXT,
        "bytes": TEXT.encode(),
        "path": config_file,
    }
    change = client.do(lambda api: api.update_config(forms.get(form, TEXT), comment="why"))
    assert (change.changed, change.workers) == (True, 1)
    active = client.do(lambda api: api.get_config())
    assert (active.revision, active.etag, active.config) == (change.revision, change.etag, change.config)
    assert active.config == {
        "listeners": [{"name": "echo", "address": "127.0.0.1:0", "rules": [{"do": [{"echo": {}}]}]}]
    }
    assert client.do(lambda api: api.list_revisions(limit=1))[0].comment == "why"


def test_invalid_text_is_rejected_with_line_and_column_of_every_problem(client: Face) -> None:
    before = client.do(lambda api: api.get_config()).revision
    with pytest.raises(clients.ConfigRejected) as rejected:
        client.do(lambda api: api.update_config(BAD))
    assert [(each.path, each.line, each.column) for each in rejected.value.problems] == [("listeners[0].adress", 3, 5)]
    assert "3:5: listeners[0].adress: no such field; did you mean address?" in str(rejected.value)
    with pytest.raises(clients.ConfigRejected) as rejected:
        client.do(lambda api: api.update_config(BAD.replace("    adress: x\n", "")))
    assert [(each.path, each.line, each.column) for each in rejected.value.problems] == [
        ("listeners[0].address", 3, 14)
    ]
    assert client.do(lambda api: api.get_config()).revision == before


def test_invalid_mapping_is_rejected_with_paths(client: Face) -> None:
    with pytest.raises(ValueError, match=r"listeners\[0\]\.framing: .*did you mean line") as rejected:
        client.do(lambda api: api.update_config({"listeners": [{**ECHO, "framing": "lne"}]}))
    assert isinstance(rejected.value, clients.ConfigRejected)
    assert (rejected.value.code, rejected.value.reason) == ("INVALID_ARGUMENT", "CONFIG_REJECTED")


def test_more_problems_than_a_status_holds_are_all_reported(client: Face) -> None:
    listeners = [{"name": f"bad name {number}", "address": "127.0.0.1:0"} for number in range(200)]
    with pytest.raises(clients.ConfigRejected) as rejected:
        client.do(lambda api: api.update_config({"listeners": listeners}))
    assert [each.path for each in rejected.value.problems] == [f"listeners[{number}].name" for number in range(200)]
    assert rejected.value.total == 200


def test_validation_returns_problems_of_form_and_content(client: Face) -> None:
    before = client.do(lambda api: api.get_config()).revision
    found = client.do(lambda api: api.validate_config(BAD))
    assert [(each.path, each.line) for each in found] == [("listeners[0].adress", 3), ("listeners[0].address", 4)]
    assert client.do(lambda api: api.validate_config({"listeners": [ECHO]})) == []
    assert client.do(lambda api: api.get_config()).revision == before


def test_change_with_validate_only_changes_nothing(client: Face) -> None:
    before = client.do(lambda api: api.get_config())
    for call in (
        lambda api: api.update_config({"listeners": [ECHO]}, validate_only=True),
        lambda api: api.create_listener(ECHO, validate_only=True),
        lambda api: api.rollback_config(before.revision, validate_only=True),
    ):
        assert client.do(call).changed is False
    assert client.do(lambda api: api.get_config()) == before


def test_change_with_stale_etag_is_aborted(client: Face) -> None:
    etag = client.do(lambda api: api.get_config()).etag
    client.do(lambda api: api.create_listener(ECHO, etag=etag))
    for call in (
        lambda api: api.update_config({"listeners": []}, etag=etag),
        lambda api: api.create_listener({**ECHO, "name": "b"}, etag=etag),
        lambda api: api.update_listener(ECHO, etag=etag),
        lambda api: api.delete_listener("echo", etag=etag),
        lambda api: api.rollback_config(1, etag=etag),
    ):
        with pytest.raises(clients.Aborted) as aborted:
            client.do(call)
        assert (aborted.value.code, aborted.value.reason) == ("ABORTED", "ETAG_MISMATCH")


def test_listener_is_created_changed_and_deleted(client: Face) -> None:
    created = client.do(lambda api: api.create_listener({**ECHO, "framing": "line"}, comment="one"))
    assert (created.changed, created.listener["framing"]) == (True, {"line": {}})
    assert client.do(lambda api: api.get_listener("echo")).listener == created.listener
    client.do(lambda api: api.create_listener({**ECHO, "name": "b"}))
    assert [each["name"] for each in client.do(lambda api: api.list_listeners())] == ["b", "echo"]
    with pytest.raises(clients.AlreadyExists):
        client.do(lambda api: api.create_listener(ECHO))

    merged = client.do(lambda api: api.update_listener({"name": "echo", "limits": {"max_connections": 3}}))
    assert (merged.listener["limits"], merged.listener["framing"]) == ({"max_connections": 3}, {"line": {}})
    masked = client.do(lambda api: api.update_listener({"name": "echo"}, fields=["limits.max_connections"]))
    assert masked.listener.get("limits", {}) == {}
    replaced = client.do(lambda api: api.update_listener(ECHO, fields=["*"]))
    assert "framing" not in replaced.listener
    added = client.do(lambda api: api.update_listener({**ECHO, "name": "c"}, allow_missing=True, comment="c"))
    assert (added.changed, added.listener["name"]) == (True, "c")

    assert client.do(lambda api: api.delete_listener("echo", comment="over")).changed is True
    assert client.do(lambda api: api.delete_listener("echo", allow_missing=True)).changed is False
    for call in (
        lambda api: api.delete_listener("echo"),
        lambda api: api.get_listener("echo"),
        lambda api: api.update_listener(ECHO),
    ):
        with pytest.raises(LookupError, match="no listener 'echo'") as missing:
            client.do(call)
        assert isinstance(missing.value, clients.NotFound)
    assert client.do(lambda api: api.list_revisions(limit=1))[0].comment == "over"


def test_problems_of_a_listener_have_paths_in_its_mapping(client: Face) -> None:
    bad = {**ECHO, "rules": [{"do": [{"send": {"hex": "0"}}]}]}
    for call in (lambda api: api.create_listener(bad), lambda api: api.update_listener(bad, allow_missing=True)):
        with pytest.raises(clients.ConfigRejected) as rejected:
            client.do(call)
        assert [each.path for each in rejected.value.problems] == ["rules[0].do[0].send.hex"]
    with pytest.raises(clients.ConfigRejected) as rejected:
        client.do(lambda api: api.create_listener({**ECHO, "rules": [{"do": ["ecko"]}]}))
    assert [each.path for each in rejected.value.problems] == ["rules[0].do[0]"]


def test_mask_with_unknown_field_is_invalid(client: Face) -> None:
    client.do(lambda api: api.create_listener(ECHO))
    with pytest.raises(clients.InvalidArgument, match="has no field 'nonsense'") as invalid:
        client.do(lambda api: api.update_listener(ECHO, fields=["nonsense"]))
    assert [each.path for each in invalid.value.problems] == ["update_mask.paths[0]"]


def test_earlier_revision_is_applied_again(client: Face) -> None:
    first = client.do(lambda api: api.update_config({"listeners": [ECHO]}))
    client.do(lambda api: api.update_config({"listeners": []}))
    back = client.do(lambda api: api.rollback_config(first.revision, comment="again"))
    assert (back.config, back.revision, back.changed) == (first.config, first.revision + 2, True)
    revision = client.do(lambda api: api.get_revision(back.revision))
    assert (revision.number, revision.origin, revision.comment) == (back.revision, "rollback", "again")
    assert revision.config == first.config
    with pytest.raises(clients.NotFound):
        client.do(lambda api: api.get_revision(1 << 40))


def test_revisions_are_listed_newest_first_up_to_the_limit(client: Face) -> None:
    for number in range(3):
        client.do(methodcaller("create_listener", {**ECHO, "name": f"n{number}"}))
    newest = client.do(lambda api: api.get_config()).revision
    listed = client.do(lambda api: api.list_revisions(limit=2, with_config=True))
    assert [each.number for each in listed] == [newest, newest - 1]
    assert [len(each.config["listeners"]) for each in listed] == [3, 2]
    all_of_them = client.do(lambda api: api.list_revisions())
    assert [each.number for each in all_of_them] == list(range(newest, 0, -1))
    assert all_of_them[0].config is None
    assert client.do(lambda api: api.list_revisions(limit=0)) == []


def test_pages_are_followed_until_the_limit(scripted: Face, api: Api) -> None:
    def page(_context: object) -> ListRevisionsResponse:
        asked: Any = api.asked[-1]
        first = int(asked.page_token or 9)
        numbers = range(first, max(0, first - min(4, asked.page_size or 4)), -1)
        following = str(numbers[-1] - 1) if numbers[-1] > 1 else ""
        return ListRevisionsResponse(
            revisions=[Revision(number=number) for number in numbers], next_page_token=following
        )

    api.answers["ListRevisions"] = page
    assert [each.number for each in scripted.do(lambda client: client.list_revisions())] == list(range(9, 0, -1))
    assert len(api.asked) == 3
    assert [each.number for each in scripted.do(lambda client: client.list_revisions(limit=6))] == [9, 8, 7, 6, 5, 4]
    assert api.asked[-1] == ListRevisionsRequest(page_size=2, page_token="5")


def test_status_tells_what_listens_where(client: Face, running: RunningServer) -> None:
    client.do(lambda api: api.update_config({"listeners": [ECHO]}, comment="for the status"))
    with pytest.raises(clients.ConfigRejected):
        client.do(lambda api: api.update_config({"listeners": [{**ECHO, "address": "nowhere"}]}))
    status = client.do(lambda api: api.get_status())
    (listener,) = status.listeners
    host, _, port = listener.address.rpartition(":")
    with socket.create_connection((host, int(port))) as peer:
        peer.sendall(b"hi")
        assert peer.recv(9) == b"hi"
    assert (listener.engine, listener.accept, listener.drain) == ("CALLBACK", "NORMAL", "")
    assert (status.state, status.reason, len(status.workers)) == ("SERVING", "", 1)
    assert abs(datetime.now(UTC) - status.start_time) < timedelta(hours=1)
    assert (status.workers[0].index, status.workers[0].revision) == (0, status.revision)
    assert status.last_applied.comment == "for the status"
    assert [each.path for each in status.last_rejected.problems] == ["listeners[0].address"]
    assert (status.config_file.path, status.config_file.watched) == (str(running.config), False)
    assert client.do(lambda api: api.get_status()).listeners[0].requests >= 1


def test_drain_ends_with_no_connection_and_resume_ends_the_drain(client: Face) -> None:
    for name in ("a", "b"):
        client.do(methodcaller("create_listener", {**ECHO, "name": name}))
    progress = client.all(lambda api: api.drain("a", over=0.0, grace=timedelta(seconds=1)))
    assert (progress[-1].state, progress[-1].connections_open) == ("DRAINED", 0)
    assert [each.drain for each in client.do(lambda api: api.get_status()).listeners] == ["DRAINED", ""]
    assert client.do(lambda api: api.resume("a")) == ["a"]
    assert client.do(lambda api: api.drain().result()).state == "DRAINED"
    assert client.do(lambda api: api.resume()) == ["a", "b"]
    with pytest.raises(clients.NotFound):
        client.do(lambda api: api.drain("nonsense").result())


def test_restart_reports_each_step(client: Face) -> None:
    before = client.do(lambda api: api.get_status()).workers[0].pid
    steps = client.all(lambda api: api.restart_workers(over=0, grace=1))
    assert [(each.worker, each.step) for each in steps] == [(0, "REPLACED"), (0, "RESTARTED")]
    assert client.do(lambda api: api.get_status()).workers[0].pid == steps[0].pid != before


def test_counters_are_reset_all_of_a_listener_or_one(client: Face) -> None:
    rules = [{"name": "once", "times": 1, "do": ["echo"]}, {"do": [{"send": "again"}]}]
    client.do(
        lambda api: api.create_listener({**ECHO, "rules": rules, "faults": [{"name": "f", "times": 1, "drop": {}}]})
    )
    assert client.do(lambda api: api.reset_counters()) == 2
    assert client.do(lambda api: api.reset_counters("echo", rule="once")) == 1
    assert client.do(lambda api: api.reset_counters("echo", fault="f")) == 1
    with pytest.raises(clients.NotFound):
        client.do(lambda api: api.reset_counters("echo", rule="nonsense"))


def test_signal_is_kept_and_shown_in_the_status(client: Face) -> None:
    client.do(lambda api: api.create_listener({**ECHO, "rules": [{"do": [{"wait": "go"}, "echo"]}]}))
    client.do(lambda api: api.reset_counters())
    signalled = client.do(lambda api: api.signal("go", 2))
    assert (signalled.woken, signalled.kept) == (0, 2)
    assert [(each.name, each.waiting, each.kept) for each in client.do(lambda api: api.get_status()).signals] == [
        ("go", 0, 2)
    ]
    with pytest.raises(clients.NotFound):
        client.do(lambda api: api.signal("nonsense"))


def test_health_of_the_server_and_of_a_listener(client: Face) -> None:
    client.do(lambda api: api.create_listener(ECHO))
    for service in ("", "readiness", "liveness", "listener/echo"):
        assert client.do(methodcaller("health", service)) is True
    client.do(lambda api: api.drain("echo").result())
    assert client.do(lambda api: api.health("listener/echo")) is False
    assert client.all(lambda api: api.watch_health("listener/echo"), 1) == [False]
    with pytest.raises(clients.NotFound):
        client.do(lambda api: api.health("nonsense"))


def test_watch_begins_with_the_active_revision_or_after_another(client: Face) -> None:
    client.do(lambda api: api.create_listener(ECHO))
    active = client.do(lambda api: api.get_config())
    (first,) = client.all(lambda api: api.watch_config(), 1)
    assert (first.revision.etag, first.skipped, first.revision.config) == (active.etag, 0, active.config)
    client.do(lambda api: api.delete_listener("echo"))
    (later,) = client.all(lambda api: api.watch_config(after=active.etag), 1)
    assert later.revision.number == active.revision + 1


def test_unlisted_problems_of_a_listener_are_counted(scripted: Face, api: Api) -> None:
    api.answers["CreateListener"] = InvalidConfig([Problem("listener.name", "x" * 400) for _ in range(99)])
    with pytest.raises(clients.ConfigRejected) as rejected:
        scripted.do(lambda client: client.create_listener(ECHO))
    *listed, last = rejected.value.problems
    assert 0 < len(listed) < 99
    assert last.message == f"{99 - len(listed)} more problems are not listed"
