"""paho: a broker of prepared packets.

In place of the broker of paho's tests (test/paho_test.py and a script for each conversation, 40 lines and more each).
"""

from collections.abc import Iterator
from typing import Any

import pytest

from answerback.testing import Answerback, Listener
from tests.waiting import eventually

mqtt = pytest.importorskip("paho.mqtt.client")

MQTT = {"length_prefix": {"offset": 1, "encoding": "VARINT"}}
CONNACK = {"when": {"prefix": b"\x10"}, "do": [{"send": b"\x20\x02\x00\x00"}]}
PINGRESP = {"when": b"\xc0\x00", "do": [{"send": b"\xd0\x00"}]}
DISCONNECT = {"when": b"\xe0\x00", "do": ["close"]}


@pytest.fixture
def client() -> Iterator[Any]:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "test", reconnect_on_failure=False)
    client.seen = []
    # None refers to the client but by its argument: in a cycle, its sockets would be collected before it closes them.
    client.on_connect = lambda client, _u, _f, code, _p: client.seen.append(f"connect {code}")
    client.on_subscribe = lambda client, _u, number, codes, _p: client.seen.append(f"subscribe {number} {codes[0]}")
    client.on_publish = lambda client, _u, number, _r, _p: client.seen.append(f"publish {number}")
    client.on_message = lambda client, _u, message: client.seen.append(f"{message.topic}: {message.payload.decode()}")
    yield client
    client.disconnect()
    client.loop_stop()


def start(client: Any, server: Listener) -> None:
    client.connect(*server.address)
    client.loop_start()


def test_subscription_with_qos_1_and_a_message(answerback: Answerback, client: Any) -> None:
    suback = {"send": b"\x90\x03\x00\x01\x01"}
    message = {"send": b"\x30\x09\x00\x05topichi"}
    subscribe = {"when": {"prefix": b"\x82\x0a\x00\x01\x00\x05topic\x01"}, "do": [suback, message]}
    start(client, answerback.listen(framing=MQTT, rules=[CONNACK, subscribe, PINGRESP, DISCONNECT]))
    eventually(lambda: client.seen == ["connect Success"])
    client.subscribe("topic", 1)
    eventually(lambda: client.seen == ["connect Success", "subscribe 1 Granted QoS 1", "topic: hi"])


def test_message_with_qos_2_is_acknowledged_in_two_steps(answerback: Answerback, client: Any) -> None:
    publish = {"when": {"prefix": b"\x34"}, "do": [{"send": b"\x50\x02\x00\x01"}]}  # PUBREC
    release = {"when": b"\x62\x02\x00\x01", "do": [{"send": b"\x70\x02\x00\x01"}]}  # PUBREL, PUBCOMP
    server = answerback.listen(framing=MQTT, rules=[CONNACK, publish, release, DISCONNECT])
    start(client, server)
    client.publish("topic", "x" * 200, qos=2)  # a length of two bytes
    eventually(lambda: client.seen == ["connect Success", "publish 1"])
    assert server.status().requests == 3


def test_refused_connection_is_reported(answerback: Answerback, client: Any) -> None:
    refused = {"when": {"prefix": b"\x10"}, "do": [{"send": b"\x20\x02\x00\x05"}, "close"]}
    start(client, answerback.listen(framing=MQTT, rules=[refused]))
    eventually(lambda: client.seen == ["connect Not authorized"])
