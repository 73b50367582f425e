"""Floods at the admin port use a bounded amount of memory, and other clients are answered."""

import gzip
import socket
import threading
import zlib
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import Any

import grpc
import pytest

from answerback.control.server import CONNECTIONS, HANDSHAKE_MS
from answerback.v1.config_service_pb2 import ValidateConfigRequest
from tests.system import flooding
from tests.system.conftest import Start
from tests.system.flooding import FLOODS, PINGS, VALIDATE_CONFIG, Flood, Watched, again, call, connect, message
from tests.waiting import eventually

MOST = 64.0  # MiB
MOST_OF_TINY = 128.0  # gRPC keeps up to 493,000 fields until its settings are acknowledged, then copies them for Python
MOST_OF_TWENTY = 80.0
LARGE = "listeners: [{name: a, address: '127.0.0.1:0', rules: [{do: [send: '" + "x" * 470_000 + "']}]}]"

OF_TWENTY = {
    "answers that are not read": MOST_OF_TWENTY,
    "calls without a message": MOST_OF_TWENTY,
    "half messages": MOST_OF_TWENTY,
    "large metadata": MOST_OF_TWENTY,
    "rapid reset": MOST_OF_TWENTY,
    "unknown frames": MOST_OF_TWENTY,
    "watches that are not read": MOST_OF_TWENTY,
    "continuation": 240.0,  # gRPC allows 16 MiB until its settings are acknowledged
}
"""What floods of twenty connections cost at most: those that cost more than a few MiB."""

EMPTY_LISTENER = b"\x0a\x00"
"""Field 1 of Config: a listener without anything in it."""


def flood(start_server: Start, chunks: Iterable[bytes]) -> Watched:
    """Send a flood to a new server, and say what it cost."""
    running = start_server(LARGE)
    with Watched(running.admin, running.process.pid) as watched, connect(running.admin) as peer:
        Flood(peer).send(chunks)
        watched.settle()
    assert watched.failures == []
    assert running.process.poll() is None
    assert [line for line in running.lines() if "exception" in line] == []
    return watched


def test_flood_of_pings_costs_little_memory(start_server: Start) -> None:
    assert flood(start_server, again(PINGS, 100)).growth <= MOST


def test_admin_responses_that_are_not_read_use_bounded_memory(start_server: Start) -> None:
    assert flood(start_server, FLOODS["answers that are not read"]()).growth <= MOST


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(FLOODS))
def test_admin_flood_uses_bounded_memory_and_health_is_answered(start_server: Start, name: str) -> None:
    assert flood(start_server, FLOODS[name]()).growth <= (MOST_OF_TINY if name == "small continuation" else MOST)


@pytest.mark.long
@pytest.mark.parametrize("name, most", OF_TWENTY.items())
def test_twenty_connections_that_flood_at_once_use_bounded_memory(start_server: Start, name: str, most: float) -> None:
    running = start_server(LARGE)
    with Watched(running.admin, running.process.pid) as watched, ExitStack() as stack:
        floods = [Flood(stack.enter_context(connect(running.admin))) for _ in range(20)]
        threads = [threading.Thread(target=each.send, args=(FLOODS[name](),)) for each in floods]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        watched.settle()
    assert watched.failures == []
    assert watched.growth <= most


def validate(address: str, data: bytes) -> tuple[grpc.StatusCode, str]:
    """What a server says of a ValidateConfigRequest."""
    with grpc.insecure_channel(address) as channel:
        try:
            ask: Any = channel.unary_unary(VALIDATE_CONFIG.decode())
            ask(data, timeout=60)
        except grpc.RpcError as error:
            return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


def request(config: bytes) -> bytes:
    """A ValidateConfigRequest with a configuration of these bytes."""
    whole = ValidateConfigRequest()
    whole.config.SetInParent()
    size, rest = b"", len(config)
    while rest > 127:
        size, rest = size + bytes((rest & 127 | 128,)), rest >> 7
    return whole.SerializeToString()[:1] + size + bytes((rest,)) + config


def test_admin_request_of_two_million_parts_is_rejected_in_bounded_memory(start_server: Start) -> None:
    running = start_server()
    with Watched(running.admin, running.process.pid) as watched:
        code, details = validate(running.admin, request(EMPTY_LISTENER * 2_000_000))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details == "the request has more than 200000 fields and list items, which is the maximum"
    assert watched.failures == []
    assert watched.growth <= MOST


@pytest.mark.long
def test_admin_request_with_the_maximum_of_parts_uses_bounded_memory(start_server: Start) -> None:
    running = start_server()
    with Watched(running.admin, running.process.pid) as watched:
        code, _ = validate(running.admin, request(EMPTY_LISTENER * 199_990))
    assert code is grpc.StatusCode.OK
    assert watched.failures == []
    assert watched.growth <= MOST
    assert watched.answered > 20


def bomb(encoding: str) -> bytes:
    """A message that is 64 MiB once it is inflated."""
    data = bytes(64 << 20)
    return message(gzip.compress(data) if encoding == "gzip" else zlib.compress(data), compressed=True)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_admin_request_is_rejected_without_decompression(start_server: Start, encoding: str) -> None:
    running = start_server()
    data = bomb(encoding)
    pieces = [data[at : at + 16_000] for at in range(0, len(data), 16_000)]
    paths = (VALIDATE_CONFIG, flooding.REFLECTION, flooding.WATCH_CONFIG)
    with Watched(running.admin, running.process.pid) as watched, connect(running.admin) as peer:
        more = ((b"grpc-encoding", encoding.encode()),)
        Flood(peer).send(call(path, number, *pieces, more=more) for number, path in enumerate(paths))
        watched.settle()
    assert watched.failures == []
    assert watched.growth <= 16.0
    for path in paths:
        assert _compressed(running.admin, path, encoding) is grpc.StatusCode.UNIMPLEMENTED


def _compressed(address: str, path: bytes, encoding: str) -> grpc.StatusCode:
    """What becomes of a call whose message a client of gRPC has compressed."""
    algorithm = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}[encoding]
    with grpc.insecure_channel(address) as channel:
        ask: Any = channel.unary_stream(path.decode())
        answers = ask(bytes(4096), compression=algorithm, timeout=20)
        with pytest.raises(grpc.RpcError):
            next(answers)
        code: grpc.StatusCode = answers.code()
        return code


def closed(peer: socket.socket) -> bool:
    """Whether the server has closed a connection."""
    peer.setblocking(False)
    with suppress(BlockingIOError):
        try:
            while peer.recv(65536):
                pass
        except ConnectionError:
            pass
        return True
    return False


@pytest.mark.long
@pytest.mark.parametrize(
    "begin", [b"", flooding.BEGIN[:20], flooding.BEGIN], ids=["silent", "half a preface", "no acknowledgement"]
)
def test_silent_admin_connections_are_limited_and_closed(start_server: Start, begin: bytes) -> None:
    running = start_server()
    with Watched(running.admin, running.process.pid) as watched, ExitStack() as stack:
        peers = [stack.enter_context(connect(running.admin)) for _ in range(2 * CONNECTIONS)]
        for peer in peers:
            with suppress(OSError):
                peer.sendall(begin)
        eventually(lambda: sum(not closed(peer) for peer in peers) <= CONNECTIONS, what="some are turned away")
        eventually(lambda: all(map(closed, peers)), HANDSHAKE_MS / 1000 + 20, "they are closed")
        watched.settle()
    assert watched.failures == []
    assert watched.growth <= MOST
    assert running.cli("status").returncode == 0
