"""Relays at full speed keep other connections of their worker waiting for some milliseconds at most."""

import gc
import selectors
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from answerback.core.delays import Fixed
from answerback.core.faults import Fault, Latency, Slice
from answerback.shared import listener_counters
from tests.net.conftest import Client, Serving
from tests.net.relay.upstreams import Accepted, Server, connected, relaying
from tests.net.test_run_queue import watched
from tests.waiting import eventually

CELL = 5000  # a cell that no listener's block reaches
RELAYS = 20
WAIT = 0.050  # seconds of the processor that one iteration of the event loop may take
BUSY = 64 << 20  # bytes after which all of them are at full speed
BLOCK = bytes(1 << 20)
FAULTS = (Fault("late", CELL, Latency(Fixed(0.001))), Fault("small", CELL + 1, Slice(1000, 0, 0.0)))


@contextmanager
def at_full_speed(pairs: list[tuple[Client, Accepted]]) -> Iterator[None]:
    """Upstreams that send as much as is taken, and clients that read everything, in a thread."""
    over = threading.Event()

    def pump() -> None:
        with selectors.DefaultSelector() as selector:
            for client, upstream in pairs:
                selector.register(client.sock, selectors.EVENT_READ)
                selector.register(upstream.sock, selectors.EVENT_WRITE)
                client.sock.setblocking(False)
                upstream.sock.setblocking(False)
            while not over.is_set():
                for key, events in selector.select(0.1):
                    if events == selectors.EVENT_READ:
                        key.fileobj.recv(len(BLOCK))  # type: ignore[union-attr]
                    else:
                        key.fileobj.send(BLOCK)  # type: ignore[union-attr]

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
        for client, _ in pairs:
            client.reset()


@pytest.fixture
def _young_heap() -> Iterator[None]:
    """A full collection of all that pytest has in memory would take 40 ms of an iteration."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_young_heap")
@pytest.mark.parametrize("faults", [(), FAULTS], ids=["stream", "faults"])
def test_relays_at_full_speed_do_not_delay_other_connections(
    serving: Serving, server: Server, faults: tuple[Fault, ...]
) -> None:
    serving.commit(replace(relaying(server.upstream), relay_faults=((), faults)))
    pairs = [connected(serving, server) for _ in range(RELAYS)]
    client, upstream = connected(serving, server)
    with at_full_speed(pairs), watched(serving) as watch:
        eventually(lambda: serving.count(listener_counters.SENT_BYTES) > (BUSY // 64 if faults else BUSY))
        for _ in range(20):
            client.say(b"ping")
            assert upstream.hear(4) == b"ping"
            upstream.say(b"pong")
            assert client.hear(4) == b"pong"
    assert max(watch.iterations) < WAIT
