"""The open connections of a real server with two workers: listed and closed by id, listener and client."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import grpc
import pytest

from answerback.v1 import connection_service_pb2 as pb
from answerback.v1.connection_service_pb2_grpc import ConnectionServiceStub
from tests.system.conftest import RunningServer, await_listening, end, launch
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

RULES = r"""
    framing: line
    rules:
      - {when: WAIT, do: [send: "a", delay: 60s]}
      - {when: SIZE, do: [receive: {framing: line, into: x}]}
      - {when: HANG, do: [hang: {}]}
      - {when: IN, do: [state: inside, send: "ok\n"]}
      - {when: HALF, do: [send: "bye\n", half_close]}
      - do: [echo, send: "\n"]
"""
CONFIG = f"""
listeners:
  - name: callback
    address: 127.0.0.1:0
    engine: CALLBACK{RULES}
  - name: coroutine
    address: 127.0.0.1:0
    engine: COROUTINE{RULES}
  - name: six
    address: "[::1]:0"{RULES}
  - {{name: held, address: "127.0.0.1:0", accept: HOLD}}
"""
ENGINES = pytest.mark.parametrize("listener", ["callback", "coroutine"])


class Served:
    """A running server, and its connections."""

    def __init__(self, running: RunningServer, stub: ConnectionServiceStub) -> None:
        self.running = running
        self.stub = stub

    def connect(self, listener: str, data: bytes = b"", reply: bytes = b"") -> socket.socket:
        """Connect, send these bytes, and wait for the reply."""
        sock = self.running.connect(listener)
        sock.sendall(data)
        received = b""
        while len(received) < len(reply):
            received += sock.recv(100)
        assert received == reply
        return sock

    def list(self, listener: str = "", peer: str = "") -> list[pb.Connection]:
        request = pb.ListConnectionsRequest(listener=listener, peer=peer)
        return list(self.stub.ListConnections(request, timeout=20).connections)

    def close(self, *ids: str, listener: str = "", peer: str = "", reset: bool = False) -> int:
        request = pb.CloseConnectionsRequest(ids=ids, listener=listener, peer=peer, reset=reset)
        return self.stub.CloseConnections(request, timeout=20).connections

    def settled(self) -> None:
        """End every connection, so that the next test sees only its own."""
        for listener in self.running.listeners:
            self.close(listener=listener, reset=True)
        eventually(lambda: not self.list(), what="no connection")


def name(sock: socket.socket) -> str:
    """The client's address as the server shows it."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ExitStack() as stack:
        folder: Path = tmp_path_factory.mktemp("connections")
        config = folder / "answerback.yaml"
        config.write_text(CONFIG)
        running = launch(config, folder / "log", "--workers", "2")
        stack.callback(end, running)
        await_listening(running)
        yield Served(running, ConnectionServiceStub(stack.enter_context(grpc.insecure_channel(running.admin))))


@pytest.fixture
def served(server: Served) -> Iterator[Served]:
    yield server
    server.settled()


@ENGINES
def test_connection_is_listed_with_what_it_did(served: Served, listener: str) -> None:
    with closing(served.connect(listener, b"hello\nIN\n", b"hello\nok\n")) as sock:
        (found,) = served.list(listener)
        assert (found.listener, found.peer, found.requests) == (listener, name(sock), 2)
        assert (found.received_bytes, found.sent_bytes) == (9, 9)
        assert (found.state, found.waits_for, found.rule_state) == (pb.CONNECTION_STATE_OPEN, "request", "inside")
        assert found.worker in {0, 1}
        assert 0 < found.age.ToMilliseconds() + 1 < 60_000


@ENGINES
@pytest.mark.parametrize(
    "data, reply, waits_for, state",
    [
        (b"", b"", "request", pb.CONNECTION_STATE_OPEN),
        (b"WAIT\n", b"a", "timer", pb.CONNECTION_STATE_OPEN),
        (b"IN\nSIZE\n", b"ok\n", "frame", pb.CONNECTION_STATE_OPEN),
        (b"IN\nHANG\n", b"ok\n", "hang", pb.CONNECTION_STATE_OPEN),
        (b"HALF\n", b"bye\n", "request", pb.CONNECTION_STATE_HALF_CLOSED),
    ],
)
def test_listed_connection_says_what_it_waits_for(
    served: Served, listener: str, data: bytes, reply: bytes, waits_for: str, state: int
) -> None:
    with closing(served.connect(listener, data, reply)):
        eventually(lambda: [(each.waits_for, each.state) for each in served.list(listener)] == [(waits_for, state)])


def test_held_connection_waits_for_its_release(served: Served) -> None:
    with closing(served.connect("held")):
        eventually(lambda: [each.waits_for for each in served.list("held")] == ["release"])


def test_connections_are_chosen_by_peer(served: Served) -> None:
    with closing(served.connect("six", b"x\n", b"x\n")) as six, closing(served.connect("callback", b"x\n", b"x\n")):
        assert [each.peer for each in served.list(peer="::1")] == [name(six)]
        assert [each.peer for each in served.list(peer=name(six))] == [name(six)]
        assert [each.listener for each in served.list(peer="127.0.0.1")] == ["callback"]
        assert served.list(peer="[::1]:1") == []


def test_pages_together_list_every_connection_once(served: Served) -> None:
    with ExitStack() as stack:
        peers = {name(stack.enter_context(closing(served.connect("callback", b"x\n", b"x\n")))) for _ in range(7)}
        found: list[str] = []
        token, sizes = "", []
        while True:
            request = pb.ListConnectionsRequest(page_size=3, page_token=token)
            page = served.stub.ListConnections(request, timeout=20)
            found += [each.peer for each in page.connections]
            sizes.append(len(page.connections))
            token = page.next_page_token
            if not token:
                break
        assert sizes == [3, 3, 1]
        assert sorted(found) == sorted(peers)


@ENGINES
def test_connection_is_closed_in_order_by_its_id(served: Served, listener: str) -> None:
    with (
        closing(served.connect(listener, b"x\n", b"x\n")) as one,
        closing(served.connect(listener, b"x\n", b"x\n")) as two,
    ):
        (wanted,) = (each.id for each in served.list(listener) if each.peer == name(one))
        assert served.close(wanted) == 1
        assert one.recv(1) == b""
        two.sendall(b"still\n")
        assert two.recv(10) == b"still\n"


@ENGINES
def test_connections_of_a_listener_are_reset(served: Served, listener: str) -> None:
    with closing(served.connect(listener, b"WAIT\n", b"a")) as sock:
        assert served.close(listener=listener, reset=True) == 1
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_connections_of_a_peer_are_closed(served: Served) -> None:
    with (
        closing(served.connect("six", b"x\n", b"x\n")) as six,
        closing(served.connect("callback", b"x\n", b"x\n")) as four,
    ):
        assert served.close(peer="::1") == 1
        assert six.recv(1) == b""
        four.sendall(b"still\n")
        assert four.recv(10) == b"still\n"


def test_connection_that_is_gone_is_not_counted(served: Served) -> None:
    assert served.close("1-1") == 0


@pytest.mark.parametrize(
    "request_, code, text",
    [
        (pb.CloseConnectionsRequest(), "INVALID_ARGUMENT", "ids: say which connections"),
        (pb.CloseConnectionsRequest(ids=["x"]), "INVALID_ARGUMENT", "ids\\[0\\]: not the id of a connection"),
        (pb.CloseConnectionsRequest(ids=["1-1"] * 1001), "INVALID_ARGUMENT", "1001 ids; the maximum is 1000"),
        (pb.CloseConnectionsRequest(peer="127.0.0.1:x"), "INVALID_ARGUMENT", "'x' is not a port"),
        (pb.CloseConnectionsRequest(listener="nope"), "NOT_FOUND", "nope"),
    ],
)
def test_closing_without_a_sensible_choice_is_rejected(
    served: Served, request_: pb.CloseConnectionsRequest, code: str, text: str
) -> None:
    with pytest.raises(grpc.RpcError, match=text) as caught:
        served.stub.CloseConnections(request_, timeout=20)
    assert caught.value.code() is grpc.StatusCode[code]


def test_page_token_of_connections_that_is_none_is_rejected(served: Served) -> None:
    for token in ("?", "eA==", "MS0="):
        with pytest.raises(grpc.RpcError, match="page_token: not"):
            served.stub.ListConnections(pb.ListConnectionsRequest(page_token=token), timeout=20)
