"""How a worker executes each order: units, and the listeners it applies to."""

import asyncio
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from answerback.internal.v1.link_pb2 import CloseConnections, Command, Drain, Event, KeepConnections, ResetCounters
from answerback.link import Link, Received
from answerback.net.listeners import Listeners
from answerback.shared.counters import SharedCounters
from answerback.worker.worker import Worker


class Noted(SimpleNamespace):
    """A listener that records its calls."""

    told: list[object]

    def drain(self, over: float) -> None:
        self.told.append(over)

    def abort(self) -> None:
        self.told.append("reset")

    def drain_no_more(self) -> None:
        self.told.append("no more")


@pytest.fixture
async def worker() -> AsyncIterator[tuple[Worker, dict[str, Noted], "asyncio.Queue[Event]"]]:
    ours, theirs = socket.socketpair()
    made = Worker(theirs, SharedCounters.create(1), 0, 0)
    listeners = {name: Noted(told=[], connections=()) for name in ("one", "two")}
    made._listeners._listeners = cast(Any, listeners)
    reports: asyncio.Queue[Event] = asyncio.Queue()
    link = Link(ours, Event, lambda received: reports.put_nowait(received.message), lambda: None)
    yield made, listeners, reports
    made._link.close()
    link.close()
    made._listeners.poller.close()


async def test_close_connections_converts_milliseconds_to_seconds(worker: Any) -> None:
    made, listeners, _ = worker
    made._received(received(Command(close_connections=CloseConnections(listeners=["two"], over_milliseconds=1500))))
    made._received(received(Command(close_connections=CloseConnections(listeners=["one", "two", "gone"]))))
    assert (listeners["one"].told, listeners["two"].told) == ([0.0], [1.5, 0.0])


async def test_close_connections_with_reset_resets_them(worker: Any) -> None:
    made, listeners, _ = worker
    order = CloseConnections(listeners=["two", "gone"], reset=True)
    made._received(received(Command(close_connections=order)))
    assert (listeners["one"].told, listeners["two"].told) == ([], ["reset"])


async def test_keep_connections_applies_to_the_named_listeners(worker: Any) -> None:
    made, listeners, _ = worker
    made._received(received(Command(keep_connections=KeepConnections(listeners=["two", "gone"]))))
    assert (listeners["one"].told, listeners["two"].told) == ([], ["no more"])


@pytest.mark.parametrize("succeeded", [False, True])
async def test_drain_passes_on_its_duration_and_whether_it_is_replaced(
    worker: Any, monkeypatch: pytest.MonkeyPatch, succeeded: bool
) -> None:
    made, _, reports = worker
    told: list[object] = []

    def drain(_listeners: Listeners, over: float = 0.0, *, succeeded: bool = False) -> None:
        told.append((over, succeeded))

    monkeypatch.setattr(Listeners, "drain", drain)
    made._received(received(Command(drain=Drain(over_milliseconds=250, handed_over=succeeded))))
    while not (await asyncio.wait_for(reports.get(), 20)).HasField("drained"):
        pass
    assert told == [(0.25, succeeded)]


async def test_reset_counters_order_resets_named_counters_before_it_reports(worker: Any) -> None:
    made, _, reports = worker
    sequences = made._listeners.sequences
    counters = sequences._cells
    counters[7], counters[8] = 3, 4

    def of_peer(cell: int) -> int | None:
        given: int | None = sequences.next_number_of_peer(cell, b"peer", 0, 0.0, lambda: None)
        return given

    assert [of_peer(9), of_peer(10)] == [0, 0]
    made._received(received(Command(reset_counters=ResetCounters(cells=[7], peer_cells=[9]))))
    while not (await asyncio.wait_for(reports.get(), 20)).HasField("counters_reset"):
        pass
    assert (counters[7], counters[8]) == (0, 4)
    assert [of_peer(9), of_peer(10)] == [0, 1]


def received(order: Command) -> Received[Command]:
    return Received(order, (), 0)
