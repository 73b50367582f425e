"""The websockets package, on both sides of a relay that frames HTTP until the connection is no HTTP any more."""

import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving

websocket = pytest.importorskip("websockets.sync.client")
server = pytest.importorskip("websockets.sync.server")

pytestmark = pytest.mark.programs

HOST = "127.0.0.1"
ENGINES = ("callback", "coroutine")
SIZES = (0, 125, 65_536, 1_000_000)


def echo(connection: Any) -> None:
    connection.send("welcome")  # right behind the reply that switches
    for message in connection:
        connection.send(message)


@pytest.fixture(scope="module")
def relays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """A server of WebSocket, and the port of a relay before it for each engine."""
    ports = {engine: free_port() for engine in ENGINES}
    with server.serve(echo, HOST, 0, process_request=page) as real:
        thread = threading.Thread(target=real.serve_forever)
        thread.start()
        config = "listeners:\n" + "".join(
            f"  - name: {engine}\n"
            f"    address: {HOST}:{port}\n"
            f"    engine: {engine.upper()}\n"
            "    framing: http\n"
            f"    upstream: {{address: '{HOST}:{real.socket.getsockname()[1]}', framing: http}}\n"
            "    rules:\n"
            "      - {when: {prefix: 'GET /own '}, do: [respond: {status: 200, body: own}]}\n"
            "      - {event: REPLY, when: {prefix: 'HTTP/1.1 101'}, do: [delay: 20ms, forward]}\n"
            for engine, port in ports.items()
        )
        with serving(RunningServer(0, free_port(), free_port()), config, tmp_path_factory.mktemp("relays")):
            yield ports
        real.shutdown()
        thread.join()


def page(connection: Any, request: Any) -> Any:
    """Answer what is no WebSocket."""
    return connection.respond(200, "page") if request.path == "/page" else None


@pytest.mark.parametrize("engine", ENGINES)
def test_websockets_client_talks_through_a_framed_relay(relays: dict[str, int], engine: str) -> None:
    with websocket.connect(f"ws://{HOST}:{relays[engine]}/chat", compression=None) as client:
        assert client.recv(timeout=10) == "welcome"
        for size in SIZES:
            client.send(bytes(size))
            assert client.recv(timeout=10) == bytes(size)
        client.send("GET /own HTTP/1.1\r\n\r\n")
        assert client.recv(timeout=10) == "GET /own HTTP/1.1\r\n\r\n"
        assert client.ping(b"there?").wait(10)
    assert (client.protocol.close_code, client.protocol.close_sent) == (1000, client.protocol.close_rcvd)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", ["page", "own"])
def test_other_requests_are_http_still(relays: dict[str, int], engine: str, path: str) -> None:
    with urllib.request.urlopen(f"http://{HOST}:{relays[engine]}/{path}", timeout=10) as answer:
        assert answer.read().decode().strip() == path
