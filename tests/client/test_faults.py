"""Faults added and removed through the API, by both clients."""

import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from answerback import client as clients
from tests.client.conftest import Face
from tests.waiting import eventually

ECHO: dict[str, Any] = {"name": "echo", "address": "127.0.0.1:0", "framing": "line", "rules": [{"do": ["echo"]}]}


@pytest.fixture
def address(client: Face) -> tuple[str, int]:
    """The address of a listener named echo."""
    client.do(lambda api: api.create_listener(ECHO))
    host, _, port = client.do(lambda api: api.get_status()).listeners[0].address.rpartition(":")
    return host, int(port)


def reply(address: tuple[str, int]) -> bytes:
    """What one connection receives for a line."""
    with socket.create_connection(address, timeout=20) as peer:
        peer.sendall(b"hi\n")
        peer.shutdown(socket.SHUT_WR)
        return peer.recv(100)


def faults(client: Face) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.do(lambda api: api.get_listener("echo")).listener.get("faults", [])
    return found


def test_fault_is_added_and_removed(client: Face, address: tuple[str, int]) -> None:
    added = client.do(lambda api: api.add_fault("echo", {"drop": {}, "times": 100}, comment="lossy"))
    assert added.fault == {"name": "drop", "times": 100, "drop": {}}
    assert (added.changed, faults(client)) == (True, [added.fault])
    assert reply(address) == b""
    removed = client.do(lambda api: api.remove_fault("echo", "drop"))
    assert (removed.changed, removed.revision, faults(client)) == (True, added.revision + 1, [])
    assert reply(address) == b"hi"
    with pytest.raises(clients.NotFound) as caught:
        client.do(lambda api: api.remove_fault("echo", "drop"))
    assert caught.value.reason == "NO_SUCH_FAULT"
    assert not client.do(lambda api: api.remove_fault("echo", "drop", allow_missing=True)).changed


@pytest.mark.parametrize("ttl", [0.05, timedelta(milliseconds=50)])
def test_fault_with_a_time_to_live_ends_by_itself(client: Face, address: tuple[str, int], ttl: Any) -> None:
    before = datetime.now(UTC)
    added = client.do(lambda api: api.add_fault("echo", "drop", ttl=ttl))
    until = datetime.fromisoformat(added.fault["expire_time"])
    assert timedelta(milliseconds=50) <= until - before < timedelta(seconds=30)
    eventually(lambda: not faults(client))
    assert datetime.now(UTC) >= until
    assert reply(address) == b"hi"
    newest = client.do(lambda api: api.list_revisions(limit=1))[0]
    assert (newest.origin, newest.comment) == ("expiry", "expired: drop of echo")


@pytest.mark.usefixtures("address")
def test_fault_of_the_same_name_is_replaced_only_on_request(client: Face) -> None:
    client.do(lambda api: api.add_fault("echo", {"name": "slow", "latency": "1ms"}, ttl=3600))
    with pytest.raises(clients.AlreadyExists) as caught:
        client.do(lambda api: api.add_fault("echo", {"name": "slow", "latency": timedelta(milliseconds=2)}))
    assert caught.value.reason == "FAULT_EXISTS"
    client.do(lambda api: api.add_fault("echo", {"name": "slow", "latency": "2ms"}, replace=True))
    assert faults(client) == [{"name": "slow", "latency": {"fixed": "2ms"}}]


@pytest.mark.parametrize(
    "fault, path",
    [
        ({"corrupt": {"bytes": 0}}, "corrupt.bytes"),
        ({"probability": 2, "drop": {}}, "probability"),
        ({"latency": "1x"}, "latency.fixed"),
        ({"expire_time": datetime(2026, 1, 1), "drop": {}}, ""),  # noqa: DTZ001 - that is what is wrong
        ({}, ""),
    ],
)
@pytest.mark.usefixtures("address")
def test_problems_of_a_fault_have_paths_in_its_mapping(client: Face, fault: dict[str, Any], path: str) -> None:
    with pytest.raises(clients.ConfigRejected) as caught:
        client.do(lambda api: api.add_fault("echo", fault))
    assert [problem.path for problem in caught.value.problems] == [path]
    assert faults(client) == []


@pytest.mark.parametrize(
    "given, said",
    [
        ({"ttl": 0}, "must be more than 0"),
        ({"ttl": -1}, "ttl"),
        ({"ttl": 8760 * 3600 + 1}, "8760h"),
        ({"fault": {"drop": {}, "expire_time": "2099-01-01T00:00:00Z"}, "ttl": 1}, "give one of them"),
    ],
)
@pytest.mark.usefixtures("address")
def test_time_to_live_out_of_bounds_is_rejected(client: Face, given: dict[str, Any], said: str) -> None:
    with pytest.raises(clients.InvalidArgument, match=said):
        client.do(lambda api: api.add_fault("echo", **{"fault": "drop", **given}))
    assert faults(client) == []


@pytest.mark.usefixtures("address")
def test_longest_time_to_live_is_a_year(client: Face) -> None:
    added = client.do(lambda api: api.add_fault("echo", "drop", ttl=8760 * 3600, validate_only=True))
    assert (added.changed, faults(client)) == (False, [])
    assert "expire_time" in added.fault


@pytest.mark.usefixtures("address")
def test_fault_of_an_unknown_listener_or_with_a_stale_etag_is_rejected(client: Face) -> None:
    with pytest.raises(clients.NotFound):
        client.do(lambda api: api.add_fault("other", "drop"))
    with pytest.raises(clients.NotFound):
        client.do(lambda api: api.remove_fault("other", "drop"))
    with pytest.raises(clients.Aborted):
        client.do(lambda api: api.add_fault("echo", "drop", etag="x-1"))
    with pytest.raises(clients.Aborted):
        client.do(lambda api: api.remove_fault("echo", "drop", etag="x-1"))
