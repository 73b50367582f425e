"""kafka-python: a broker with one topic.

In place of test/mock_broker.py of kafka-python, 600 lines, which replace the transport of the client and serve nothing.
"""

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from answerback.testing import Answerback, Listener

kafka = pytest.importorskip("kafka")

KAFKA = {"length_prefix": {"width": 4}}
PRODUCE, METADATA, VERSIONS = 0, 3, 18
TOPIC = b"\x00\x05topic"


def request(key: int) -> dict[str, Any]:
    return {"bytes": {"offset": 4, "equals": struct.pack(">h", key)}}


def reply(body: bytes) -> list[dict[str, Any]]:
    """A response with the correlation ID of its request."""
    head = struct.pack(">i", len(body) + 4)
    return [{"send": head}, {"send": {"template": "${request[8:12]}"}}, {"send": body}]


def versions() -> bytes:
    known = ((PRODUCE, 2), (METADATA, 1), (VERSIONS, 0))
    return struct.pack(">hi", 0, len(known)) + b"".join(struct.pack(">hhh", key, 0, most) for key, most in known)


def metadata(port: int) -> bytes:
    broker = struct.pack(">i", 7) + b"\x00\x09127.0.0.1" + struct.pack(">ih", port, -1)
    partition = struct.pack(">hiiiiii", 0, 0, 7, 1, 7, 1, 7)
    topic = struct.pack(">h", 0) + TOPIC + b"\x00" + struct.pack(">i", 1) + partition
    return struct.pack(">i", 1) + broker + struct.pack(">ii", 7, 1) + topic


def produced(error: int, offset: int = 0) -> bytes:
    return struct.pack(">i", 1) + TOPIC + struct.pack(">iihqqi", 1, 0, error, offset, -1, 0)


def broker(answerback: Answerback, *produce: bytes) -> Listener:
    """A broker that answers requests to produce with these bodies, one after the other."""
    server = answerback.listen(framing=KAFKA)
    replies: list[Any] = [reply(body) for body in produce]
    server.update(
        rules=[
            {"when": request(VERSIONS), "do": reply(versions())},
            {"when": request(METADATA), "do": reply(metadata(server.port))},
            {"name": "produce", "when": request(PRODUCE), "replies": {"of": replies}},
        ]
    )
    return server


@pytest.fixture
def producer() -> Iterator[Any]:
    made: list[Any] = []

    def connect(server: Listener) -> Any:
        address = f"{server.host}:{server.port}"
        made.append(
            kafka.KafkaProducer(bootstrap_servers=address, api_version=(0, 10, 0), retry_backoff_ms=1, retries=3)
        )
        return made[-1]

    yield connect
    for each in made:
        each.close(timeout=10)


def test_record_is_produced(answerback: Answerback, producer: Any) -> None:
    sent = producer(broker(answerback, produced(0, 42))).send("topic", b"value").get(timeout=30)
    assert (sent.topic, sent.partition, sent.offset) == ("topic", 0, 42)


def test_record_is_produced_again_when_the_leader_was_not_available(answerback: Answerback, producer: Any) -> None:
    server = broker(answerback, produced(5), produced(6), produced(0, 7))
    assert producer(server).send("topic", b"value").get(timeout=30).offset == 7


def test_record_that_is_too_large_is_not_sent_again(answerback: Answerback, producer: Any) -> None:
    with pytest.raises(kafka.errors.MessageSizeTooLargeError):
        producer(broker(answerback, produced(10))).send("topic", b"value").get(timeout=30)
