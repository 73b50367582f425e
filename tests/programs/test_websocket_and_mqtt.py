"""The examples `websocket` and `mqtt` against the clients of PyPI."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving
from tests.programs.test_examples import HOST, listener
from tests.programs.test_programs import output

mqtt = pytest.importorskip("paho.mqtt.client")
websocket = pytest.importorskip("websockets.sync.client")

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """One server for all of these tests: the ports of its listeners."""
    server = RunningServer(0, free_port(), free_port())
    found = {name: free_port() for name in ("websocket", "mqtt")}
    config = v1.Config(listeners=[listener(name, str(port)) for name, port in found.items()])
    with serving(server, dump(config), tmp_path_factory.mktemp("examples")):
        yield found


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_websockets_client_gets_its_messages_back(ports: dict[str, int], size: int) -> None:
    with websocket.connect(f"ws://{HOST}:{ports['websocket']}/chat", compression=None) as client:
        client.send("ä" * (size // 2) + "a" * (size % 2))
        assert client.recv(timeout=10) == "ä" * (size // 2) + "a" * (size % 2)
        client.send(bytes(size))
        assert client.recv(timeout=10) == bytes(size)
        client.send(["in ", "three ", "parts"])
        assert client.recv(timeout=10) == "in three parts"
        assert client.ping(b"there?").wait(10)
    assert (client.protocol.close_code, client.protocol.close_sent) == (1000, client.protocol.close_rcvd)


def test_websockets_client_sees_a_request_without_handshake_refused(ports: dict[str, int]) -> None:
    url = f"http://{HOST}:{ports['websocket']}/"
    assert output("curl", "-sS", "-w", "%{http_code}", url) == "426"


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_paho_publishes_messages_of_every_qos(ports: dict[str, int], qos: int, size: int) -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    subscribed = threading.Event()
    granted: list[int] = []

    def on_subscribe(_client: object, _data: object, _id: int, codes: Any, _properties: object) -> None:
        granted.extend(code.value for code in codes)
        subscribed.set()

    client.on_subscribe = on_subscribe
    assert client.connect(HOST, ports["mqtt"]) == 0
    client.loop_start()
    try:
        for topic in ("a", "a/much/longer/topic"):
            message = client.publish(topic, bytes(size), qos)
            message.wait_for_publish(10)
            assert message.is_published()
        client.subscribe("a/#", qos)
        assert subscribed.wait(10)
        assert granted == [qos]
    finally:
        client.disconnect()
        client.loop_stop()
