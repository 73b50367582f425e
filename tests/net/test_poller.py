"""The poller alone: which events reach whom, and how the time of handlers is charged."""

import asyncio
import gc
import socket
import weakref
from collections.abc import Iterator

import pytest

from answerback.net import poller as polling
from answerback.net.poller import READABLE, WRITABLE, Poller
from answerback.net.run_queue import NOTABLE_SECONDS, SHARE_SECONDS


class Queue:
    """A run queue that records its calls."""

    def __init__(self) -> None:
        self.heavy: set[object] = set()
        self.exhausted = False
        self.stops = 0
        self.charged: list[tuple[object, float]] = []

    def charge(self, who: object, seconds: float, _now: float) -> None:
        self.charged.append((who, seconds))

    def stop(self) -> None:
        self.stops += 1


class Handler:
    """Notes its events; takes this long, by the test's clock, for each."""

    def __init__(self, clock: "Clock", seconds: float = 0.0) -> None:
        self.clock = clock
        self.seconds = seconds
        self.events: list[int] = []
        self.queued = 0
        self.finished = False

    def run_turn(self) -> None:
        raise AssertionError("the poller gives no turns")

    def ready(self, events: int) -> None:
        self.events.append(events)
        self.clock.now += self.seconds

    def enqueue(self) -> None:
        self.queued += 1


class Clock:
    """A clock that only handlers move."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(polling, "monotonic", made)
    return made


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def poller(queue: Queue) -> Iterator[Poller]:
    loop = asyncio.new_event_loop()
    made = Poller(loop, queue)  # type: ignore[arg-type]
    yield made
    made.close()
    loop.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


Pair = tuple[socket.socket, socket.socket]


def test_handler_gets_the_events_it_watches_until_it_does_not(poller: Poller, clock: Clock, pair: Pair) -> None:
    handler, (ours, theirs) = Handler(clock), pair
    poller.watch(ours.fileno(), handler, READABLE, 0)
    poller._dispatch()
    assert handler.events == []
    theirs.send(b"x")
    poller._dispatch()
    poller.watch(ours.fileno(), handler, READABLE | WRITABLE, READABLE)
    poller._dispatch()
    assert handler.events == [READABLE, READABLE | WRITABLE]
    poller.watch(ours.fileno(), handler, 0, READABLE | WRITABLE)
    poller._dispatch()
    assert len(handler.events) == 2
    poller.watch(ours.fileno(), handler, WRITABLE, 0)
    poller._dispatch()
    assert handler.events[2:] == [WRITABLE]


def test_forgotten_handler_gets_nothing_and_is_not_kept(poller: Poller, clock: Clock, pair: Pair) -> None:
    handler, (ours, _) = Handler(clock), pair
    poller.watch(ours.fileno(), handler, WRITABLE, 0)
    poller.forget(ours.fileno())
    poller._dispatch()
    assert handler.events == []
    gone = weakref.ref(handler)
    del handler
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("why", ["exhausted", "heavy"])
def test_handler_is_enqueued_when_its_turn_has_to_wait(
    poller: Poller, queue: Queue, clock: Clock, pair: Pair, why: str
) -> None:
    handler = Handler(clock)
    poller.watch(pair[0].fileno(), handler, WRITABLE, 0)
    if why == "exhausted":
        queue.exhausted = True
    else:
        queue.heavy.add(handler)
    poller._dispatch()
    assert (handler.queued, handler.events) == (1, [])


@pytest.mark.parametrize(
    "seconds, charges, stops",
    [
        (NOTABLE_SECONDS / 2, 0, 0),
        (NOTABLE_SECONDS * 2, 1, 0),
        (SHARE_SECONDS * 0.9, 1, 0),
        (SHARE_SECONDS * 1.1, 1, 1),
    ],
)
def test_handler_is_charged_for_a_notable_time_and_ends_the_turn_after_a_share(
    poller: Poller, queue: Queue, clock: Clock, pair: Pair, seconds: float, charges: int, stops: int
) -> None:
    handler = Handler(clock, seconds)
    poller.watch(pair[0].fileno(), handler, WRITABLE, 0)
    poller._dispatch()
    assert [who for who, _ in queue.charged] == [handler] * charges
    assert [charged for _, charged in queue.charged] == [pytest.approx(seconds)] * charges
    assert queue.stops == stops
