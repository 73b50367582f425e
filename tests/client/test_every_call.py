"""Every call once against a running server, by both clients: a call that is not here makes the test fail."""

import inspect
import socket
from collections.abc import Callable, Iterator
from signal import SIGHUP
from typing import Any, Final

import pytest

import answerback
from answerback import client as clients
from answerback.client import NotFound
from answerback.client.calls import Calls
from answerback.client.faces import call, stream
from tests.client.conftest import EMPTY, Face
from tests.system.conftest import RunningServer
from tests.waiting import eventually

LISTENER: Final = {
    "name": "lines",
    "address": "127.0.0.1:0",
    "framing": "line",
    "rules": [{"name": "ping", "when": "PING", "times": 100, "do": [{"send": "+PONG\r\n"}]}],
}
ALL: Final = {name for name, found in inspect.getmembers_static(Calls) if isinstance(found, call | stream)}


class Served:
    """A client of the API, and a server with one listener."""

    def __init__(self, face: Face, server: str) -> None:
        self.face, self.server = face, server
        self.revision = face.do(lambda api: api.update_config({"listeners": [LISTENER]})).revision

    def do(self, name: str, *args: Any, **named: Any) -> Any:
        """Make a call that returns."""
        return self.face.do(lambda api: getattr(api, name)(*args, **named))

    def connect(self) -> socket.socket:
        """Connect to the listener."""
        host, _, port = self.do("get_status").listeners[0].address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=20)

    def ask(self, peer: socket.socket, line: bytes = b"PING\n", reply: bytes = b"+PONG\r\n") -> None:
        """One exchange."""
        peer.sendall(line)
        assert peer.recv(100) == reply


Exercise = Callable[[Served], None]
EXERCISES: Final[dict[str, Exercise]] = {}


def exercise(function: Exercise) -> Exercise:
    """Register the test of the call whose name the function has."""
    EXERCISES[function.__name__] = function
    return function


@pytest.fixture
def served(client: Face, running: RunningServer) -> Iterator[Served]:
    served = Served(client, running.admin)
    served.do("clear_exchanges")
    yield served
    served.do("resume")
    served.do("update_config", EMPTY)


@pytest.mark.parametrize("name", sorted(ALL))
def test_call_does_what_it_says(served: Served, name: str) -> None:
    EXERCISES[name](served)


def test_nothing_but_calls_is_exercised() -> None:
    assert set(EXERCISES) == ALL


@exercise
def get_config(served: Served) -> None:
    found = served.do("get_config")
    assert (found.config["listeners"][0]["name"], found.revision) == ("lines", served.revision)


@exercise
def update_config(served: Served) -> None:
    changed = served.do("update_config", {"listeners": []}, comment="none")
    assert (changed.changed, changed.revision, changed.config) == (True, served.revision + 1, {})


@exercise
def validate_config(served: Served) -> None:
    assert served.do("validate_config", {"listeners": [LISTENER]}) == []
    (problem,) = served.do("validate_config", {"listeners": [{**LISTENER, "address": "nowhere"}]})
    assert problem.path == "listeners[0].address"


@exercise
def watch_config(served: Served) -> None:
    (event,) = served.face.all(lambda api: api.watch_config(), 1)
    assert (event.revision.number, event.skipped) == (served.revision, 0)


@exercise
def list_revisions(served: Served) -> None:
    (newest,) = served.do("list_revisions", limit=1)
    assert (newest.number, newest.origin, newest.config) == (served.revision, "api", None)


@exercise
def get_revision(served: Served) -> None:
    assert served.do("get_revision", served.revision).config["listeners"][0]["name"] == "lines"


@exercise
def rollback_config(served: Served) -> None:
    served.do("update_config", EMPTY)
    changed = served.do("rollback_config", served.revision)
    assert (changed.revision, changed.config["listeners"][0]["name"]) == (served.revision + 2, "lines")


@exercise
def list_listeners(served: Served) -> None:
    served.do("create_listener", {**LISTENER, "name": "a"})
    assert [each["name"] for each in served.do("list_listeners")] == ["a", "lines"]


@exercise
def get_listener(served: Served) -> None:
    found = served.do("get_listener", "lines")
    assert (found.listener["framing"], found.revision) == ({"line": {}}, served.revision)


@exercise
def create_listener(served: Served) -> None:
    changed = served.do("create_listener", {"name": "b", "address": "127.0.0.1:0"})
    assert (changed.listener["name"], changed.revision, changed.workers) == ("b", served.revision + 1, 1)


@exercise
def update_listener(served: Served) -> None:
    changed = served.do("update_listener", {"name": "lines", "limits": {"idle_timeout": "9s"}})
    assert (changed.listener["limits"], len(changed.listener["rules"])) == ({"idle_timeout": "9s"}, 1)


@exercise
def delete_listener(served: Served) -> None:
    assert served.do("delete_listener", "lines").changed
    assert served.do("list_listeners") == []


@exercise
def add_fault(served: Served) -> None:
    assert served.do("add_fault", "lines", "drop").fault["name"] == "drop"
    assert served.do("get_listener", "lines").listener["faults"] == [{"name": "drop", "drop": {}}]


@exercise
def remove_fault(served: Served) -> None:
    served.do("add_fault", "lines", "drop")
    assert served.do("remove_fault", "lines", "drop").changed
    assert "faults" not in served.do("get_listener", "lines").listener


@exercise
def get_status(served: Served) -> None:
    status = served.do("get_status")
    assert (status.state, status.revision, status.config_file.problems) == ("SERVING", served.revision, ())
    assert 0 < status.config_file.differs_since <= served.revision


@exercise
def drain(served: Served) -> None:
    assert served.face.all(lambda api: api.drain("lines", grace=0))[-1].state == "DRAINED"
    with pytest.raises(ConnectionRefusedError):
        served.connect()


@exercise
def resume(served: Served) -> None:
    served.face.all(lambda api: api.drain("lines", grace=0))
    assert served.do("resume") == ["lines"]
    with served.connect() as peer:
        served.ask(peer)


@exercise
def restart_workers(served: Served) -> None:
    steps = served.face.all(lambda api: api.restart_workers(over=0, grace=0))
    assert [each.step for each in steps] == ["REPLACED", "RESTARTED"]


@exercise
def reset_counters(served: Served) -> None:
    assert served.do("reset_counters", "lines", rule="ping") == 1


@exercise
def signal(served: Served) -> None:
    with pytest.raises(NotFound):
        served.do("signal", "a name that no step has")


@exercise
def list_exchanges(served: Served) -> None:
    with served.connect() as peer:
        served.ask(peer)
    (found,) = served.do("list_exchanges", listener="lines")
    assert (found.request.data, found.rule, found.reply.data) == (b"PING", "ping", b"+PONG\r\n")


@exercise
def watch_exchanges(served: Served) -> None:
    with served.connect() as peer:

        def enough(found: list[Any]) -> bool:
            if len(found) == 1:  # it has begun
                peer.sendall(b"PING\n")
            return found[-1].exchange is not None

        found = served.face.until(lambda api: api.watch_exchanges(listener="lines"), enough)
    assert found[0].started
    assert found[-1].exchange.request.data == b"PING"


@exercise
def wait_for_exchanges(served: Served) -> None:
    with served.connect() as peer:
        served.ask(peer)
        waited = served.do("wait_for_exchanges", listener="lines", timeout=20)
    assert (waited.fulfilled, waited.found) == (True, 1)


@exercise
def verify_exchanges(served: Served) -> None:
    mark = served.do("create_mark").mark
    with served.connect() as peer:
        served.ask(peer)
    assert served.do("verify_exchanges", exactly=1, since=mark, listener="lines", rule="ping").outcome == "HOLDS"
    assert served.do("verify_exchanges", never=True, since=mark, listener="lines").outcome == "FAILS"


@exercise
def list_events(served: Served) -> None:
    with served.connect() as peer:
        served.ask(peer)
    (event,) = eventually(lambda: served.do("list_events", listener="lines"))
    assert (event.closed.by, event.closed.requests) == ("client", 1)


@exercise
def create_mark(served: Served) -> None:
    with served.connect() as peer:
        served.ask(peer)
        mark = served.do("create_mark").mark
        assert served.do("list_exchanges", since=mark) == []
        served.ask(peer)
        assert [each.number for each in served.do("list_exchanges", since=mark)] == [2]


@exercise
def clear_exchanges(served: Served) -> None:
    with served.connect() as peer:
        served.ask(peer)
        served.ask(peer)
    assert served.do("clear_exchanges", "lines") == 2
    assert served.do("list_exchanges") == []


@exercise
def list_connections(served: Served) -> None:
    with served.connect() as first, served.connect() as second:
        served.ask(first)
        served.ask(second)
        found = served.do("list_connections", "lines")
        assert [(each.listener, each.state, each.requests) for each in found] == [("lines", "OPEN", 1)] * 2
        assert {each.peer for each in found} == {peer_of(first), peer_of(second)}
        (one,) = served.do("list_connections", peer=peer_of(first))
        assert (one.peer, one.received_bytes, one.sent_bytes) == (peer_of(first), 5, 7)
        assert served.do("list_connections", "lines", peer="192.0.2.1") == []


@exercise
def close_connections(served: Served) -> None:
    with served.connect() as first, served.connect() as second, served.connect() as third:
        for each in (first, second, third):
            served.ask(each)
        by_peer = {each.peer: each.id for each in served.do("list_connections")}
        assert served.do("close_connections", [by_peer[peer_of(first)]]) == 1
        assert first.recv(1) == b""
        assert served.do("close_connections", peer=peer_of(second), reset=True) == 1
        with pytest.raises(ConnectionResetError):
            second.recv(1)
        first.close()  # the server waits for this
        eventually(lambda: len(served.do("list_connections")) == 1)
        served.ask(third)
        assert served.do("close_connections", listener="lines") == 1
        assert third.recv(1) == b""


@exercise
def health(served: Served) -> None:
    assert served.do("health") is True
    assert served.do("health", "listener/lines") is True


@exercise
def watch_health(served: Served) -> None:
    def enough(found: list[bool]) -> bool:
        if len(found) == 1:  # a client in an event loop cannot run another loop
            with answerback.Client(served.server) as other:
                other.drain("lines", grace=0).result()
        return len(found) == 2

    assert served.face.until(lambda api: api.watch_health("listener/lines"), enough) == [True, False]


def peer_of(sock: socket.socket) -> str:
    """The address of a client as the server shows it."""
    host, port = sock.getsockname()
    return f"{host}:{port}"


def test_rejected_file_has_line_and_column_and_a_rejected_call_has_none(served: Served, running: RunningServer) -> None:
    with pytest.raises(clients.ConfigRejected):
        served.do("update_config", {"listeners": [{**LISTENER, "address": "nowhere"}]})
    (problem,) = served.do("get_status").last_rejected.problems
    assert (problem.line, problem.column) == (None, None)
    before = running.config.read_text()
    try:
        running.config.write_text("listeners: nonsense\n")
        running.process.send_signal(SIGHUP)
        (problem,) = eventually(lambda: served.do("get_status").config_file.problems)
        assert (problem.line, problem.column) == (1, 12)
    finally:
        running.config.write_text(before)
        running.process.send_signal(SIGHUP)
        eventually(lambda: not served.do("get_status").config_file.problems)
