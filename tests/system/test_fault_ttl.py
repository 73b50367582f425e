"""A fault with a time to live ends by itself, whatever happens to the server in between."""

from pathlib import Path

import pytest

import answerback
from answerback.client import Client
from tests.system.conftest import Start, end
from tests.waiting import eventually

pytestmark = pytest.mark.long

CONFIG = "listeners: [{name: a, address: '127.0.0.1:0', rules: [{do: [send: hi, close]}]}]"


def origins(client: Client) -> list[str]:
    return [each.origin for each in client.list_revisions()]


def test_fault_goes_after_its_time_on_all_workers_although_the_server_was_killed(
    start_server: Start, tmp_path: Path
) -> None:
    state = ("--state", str(tmp_path / "state"), "--workers", "2")
    running = start_server(CONFIG, *state)
    with answerback.Client(running.admin) as client:
        client.add_fault("a", {"name": "long", "drop": {}}, ttl=3600)
        short = client.add_fault("a", {"name": "short", "latency": "1ms"}, ttl=0.3).fault["expire_time"]
        assert {running.ask(b"x") for _ in range(10)} == {b""}
        end(running)

    running = start_server(CONFIG, *state)
    with answerback.Client(running.admin) as client:
        eventually(lambda: [each["name"] for each in client.get_listener("a").listener["faults"]] == ["long"])
        assert origins(client) == ["expiry", "api", "api", "file"]
        assert client.list_revisions()[0].time.isoformat() >= short[:19]  # type: ignore[union-attr]
        assert {running.ask(b"x") for _ in range(10)} == {b""}
        client.add_fault("a", {"name": "long", "drop": {}}, ttl=0.2, replace=True)
        eventually(lambda: "faults" not in client.get_listener("a").listener)
        eventually(lambda: {each.revision for each in client.get_status().workers} == {6})
        assert {running.ask(b"x") for _ in range(20)} == {b"hi"}
        assert origins(client)[:2] == ["expiry", "api"]
