"""The run queue: order and time of turns; and, on both engines, a flood does not delay other clients."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from answerback.core import matching, steps
from answerback.core.actions import CloseReason
from answerback.core.framing import Line
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.core.session.script import TURN_SECONDS
from answerback.net import acceptor, run_queue, stagger
from answerback.net.run_queue import RUN_SECONDS, SHARE_SECONDS, RunQueue
from answerback.shared import listener_counters
from answerback.shared.counters import PROGRESS, REGION_CELLS
from tests.net.conftest import Client, Serving
from tests.waiting import eventually

WAIT = 0.100  # seconds that a client may have to wait for others


class Loop:
    """An event loop that runs its callbacks when the test says so."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], object]] = []

    def call_soon(self, callback: Callable[[], object]) -> None:
        self.soon.append(callback)

    def iterate(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


@dataclass(eq=False)
class Worker:
    """A run queue on a loop and a clock of its own."""

    now: float = 1000.0
    loop: Loop = field(default_factory=Loop)
    cells: memoryview = field(default_factory=lambda: memoryview(bytearray(8 * REGION_CELLS)).cast("Q"))
    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = RunQueue(cast(asyncio.AbstractEventLoop, self.loop), self.cells)


@dataclass(eq=False)
class Connection:
    """Waits in the queue a number of times, for turns of a given duration."""

    worker: Worker
    name: str
    seconds: float = 0.0
    again: int = 0
    finished: bool = False

    def run_turn(self) -> None:
        self.worker.ran.append(self.name)
        self.worker.now += self.seconds
        if self.again:
            self.again -= 1
            self.worker.queue.add_heavy(self) if self.seconds >= TURN_SECONDS else self.worker.queue.add(self)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    made = Worker()
    monkeypatch.setattr(run_queue, "monotonic", lambda: made.now)
    return made


def test_queued_connections_run_in_order_and_once(worker: Worker) -> None:
    a, b = Connection(worker, "a"), Connection(worker, "b")
    for each in (a, b, a):
        worker.queue.add(each)
    assert len(worker.queue) == 2
    worker.loop.iterate()
    assert worker.ran == ["a", "b"]
    assert len(worker.queue) == 0
    assert worker.loop.soon == []


def test_long_turns_run_after_short_ones_in_round_robin(worker: Worker) -> None:
    long = 1.01 * TURN_SECONDS
    attackers = [Connection(worker, f"long {number}", long, again=3) for number in range(3)]
    for attacker in attackers:
        worker.queue.add_heavy(attacker)
    worker.queue.add(Connection(worker, "short"))
    worker.loop.iterate()
    assert worker.ran == ["short", "long 0", "long 1", "long 2"], "who stands in line again waits for the next run"
    worker.queue.add(Connection(worker, "short"))
    worker.loop.iterate()
    assert worker.ran[4:] == ["short", "long 0", "long 1", "long 2"]


def test_iteration_runs_for_its_time_and_includes_one_long_turn(worker: Worker) -> None:
    for _ in range(100):
        worker.queue.add_heavy(Connection(worker, "long", 1.01 * TURN_SECONDS))
        worker.queue.add(Connection(worker, "short", RUN_SECONDS / 9.5))
    began = worker.now
    worker.loop.iterate()
    assert worker.ran == ["short"] * 10 + ["long"]
    assert worker.now - began < 2 * RUN_SECONDS
    assert len(worker.loop.soon) == 1, "the rest comes in the next iteration, after the others' events"
    worker.loop.iterate()
    assert worker.ran == (["short"] * 10 + ["long"]) * 2


def test_connection_is_heavy_until_it_has_a_short_turn(worker: Worker) -> None:
    it = Connection(worker, "it", 1.01 * TURN_SECONDS)
    worker.queue.add(it)
    worker.loop.iterate()
    assert it in worker.queue.heavy
    it.seconds = TURN_SECONDS / 2
    worker.queue.add(it)
    worker.loop.iterate()
    assert it not in worker.queue.heavy


def test_closed_connection_is_removed_from_the_run_queue(worker: Worker) -> None:
    it = Connection(worker, "it", TURN_SECONDS, finished=True)
    worker.queue.add_heavy(it)
    worker.queue.forget(it)
    worker.loop.iterate()
    worker.queue.charge(it, TURN_SECONDS, worker.now)
    assert not worker.queue.heavy
    assert len(worker.queue) == 0


def test_iteration_beyond_its_share_queues_further_events(worker: Worker) -> None:
    it = Connection(worker, "it")
    exhausted = []
    for _ in range(2):
        worker.queue.charge(it, SHARE_SECONDS * 0.6, worker.now)
        exhausted.append(worker.queue.exhausted)
    worker.loop.iterate()
    assert [*exhausted, worker.queue.exhausted] == [False, True, False]


def test_work_spread_over_time_does_not_exceed_the_share(worker: Worker) -> None:
    it = Connection(worker, "it")
    for _ in range(100):
        worker.now += 3 * SHARE_SECONDS
        worker.queue.charge(it, SHARE_SECONDS * 0.6, worker.now)
    assert not worker.queue.exhausted


def test_progress_counter_advances_with_each_turn_and_charge(worker: Worker) -> None:
    worker.queue.add(Connection(worker, "it"))
    worker.loop.iterate()
    worker.queue.charge(Connection(worker, "it"), 0.0, worker.now)
    assert worker.cells[PROGRESS] == 2


# ── On both engines ───────────────────────────────────────────────────────────────────────────────────────────────────

RULES = 300


def plan(*more: Rule, **limits: float) -> ListenerPlan:
    """Many ordinary rules, of which none matches and none can be remembered, behind one on `ping`."""
    ping = Rule("ping", 5000, (steps.send(b"pong\n"),), matching.equals(b"ping"), b"ping")
    ordinary = matching.all_of([matching.request_number(1), matching.contains(b"not in any request")])
    many = [Rule(str(number), 5001, (steps.send(b"no"),), ordinary) for number in range(RULES)]
    bounds = Limits(**limits)  # type: ignore[arg-type]
    return ListenerPlan("it", "", framing=Line(), on_request=Rules([ping, *more, *many]), limits=bounds)


FLOOD = b"x\n" * (32 << 10)
LAST = Rule("last", 5002, (steps.echo(), steps.send(b"\n")), matching.prefix(b"last"))


class Watch:
    """What each iteration of the loop costs its thread, in seconds of the processor."""

    def __init__(self, serving: Serving) -> None:
        self._loop = serving.loop
        self._last = 0.0
        self._stopped = False
        self.iterations: list[float] = []

    def start(self) -> None:
        self._last = time.thread_time()
        self._loop.call_soon(self._look)

    def stop(self) -> None:
        self._stopped = True

    def _look(self) -> None:
        now = time.thread_time()
        self.iterations.append(now - self._last)
        self._last = now
        if not self._stopped:
            self._loop.call_soon(self._look)


@contextmanager
def watched(serving: Serving) -> Iterator[Watch]:
    watch = Watch(serving)
    serving.call(watch.start)
    yield watch
    serving.call(watch.stop)


@pytest.mark.parametrize("attackers", [1, 20])
def test_flood_does_not_delay_other_connections(serving: Serving, attackers: int) -> None:
    serving.commit(plan())
    others = [serving.connect() for _ in range(3)]
    for other in others:
        assert other.say(b"ping\n").hear(5) == b"pong\n"
    with watched(serving) as watch:
        for _ in range(attackers):
            serving.connect().say(FLOOD)
        eventually(lambda: len(serving.listeners.run_queue) > 0 or serving.count(listener_counters.REQUESTS) > 1000)
        for _ in range(2):  # more of them, and a fast machine has answered the flood meanwhile
            for other in others:
                assert other.say(b"ping\n").hear(5) == b"pong\n"
        left = serving.connect().say(b"ping\n")
        assert left.hear(5) == b"pong\n", "a connection that comes during the flood is answered too"
    asked = serving.count(listener_counters.REQUESTS)
    assert asked < attackers * FLOOD.count(b"\n"), "the flood was not over by then"
    assert max(watch.iterations) < WAIT


def test_flood_is_answered_completely_in_order_and_counted(serving: Serving) -> None:
    numbers = [b"last %d\n" % number for number in range(3000)]
    slow = Rule("slow", 5003, (), lambda _request, turn: bool(sum(range(300)) and turn.number < 0))
    serving.commit(plan(slow, LAST))
    clients = [serving.connect() for _ in range(3)]
    for client in clients:
        client.say(b"".join(numbers)).finish()
    for client in clients:
        assert client.hear_all() == b"".join(numbers)
        client.close()
    serving.settle()
    assert serving.count(listener_counters.REQUESTS) == 9000
    assert serving.count(listener_counters.RECEIVED_BYTES) == 3 * len(b"".join(numbers))
    assert serving.closed(CloseReason.PEER_EOF) == 3
    assert not serving.listeners.run_queue.heavy
    assert serving.call(len, serving.listeners.run_queue) == 0


def in_line(serving: Serving, target: ListenerPlan) -> Client:
    """A client whose connection has much to do still."""
    serving.commit(target)
    client = serving.connect().say(FLOOD)
    eventually(lambda: serving.count(listener_counters.REQUESTS) > 0)
    assert serving.count(listener_counters.REQUESTS) < FLOOD.count(b"\n")
    return client


def test_queued_connection_is_reset_by_an_abort(serving: Serving) -> None:
    client = in_line(serving, plan())
    serving.call(serving.listeners.abort)
    with pytest.raises(ConnectionResetError):
        client.hear(1)
    serving.settle()
    assert serving.closed(CloseReason.ABORTED) == 1
    eventually(lambda: serving.call(len, serving.listeners.run_queue) == 0)
    assert not serving.listeners.run_queue.heavy


def test_queued_connection_ends_at_its_lifetime(serving: Serving) -> None:
    client = in_line(serving, plan(lifetime=0.05))
    assert client.hear_all() == b""
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.MAX_LIFETIME) == 1
    assert serving.count(listener_counters.REQUESTS) < FLOOD.count(b"\n")


def test_queued_connection_ends_when_its_peer_resets(serving: Serving) -> None:
    client = in_line(serving, plan())
    client.reset()
    serving.settle()
    assert serving.closed(CloseReason.PEER_RESET) == 1
    assert not serving.listeners.run_queue.heavy


def test_drain_waits_for_queued_requests_and_closes_others_first(serving: Serving) -> None:
    serving.commit(plan(LAST))
    size = len(b"last 1\n")
    client = serving.connect().say(b"x\n" * 1500 + b"last 1\n")
    other = serving.connect()
    eventually(lambda: serving.count(listener_counters.REQUESTS) > 0 and serving.count(listener_counters.OPEN) == 2)
    serving.call(serving.listeners.drain)
    assert other.hear_all() == b""
    assert client.hear(size) == b"last 1\n"
    assert client.hear_all() == b""
    client.close()
    other.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 2
    assert serving.count(listener_counters.REQUESTS) == 1501


def test_changed_plan_answers_the_rest_of_queued_requests(serving: Serving) -> None:
    client = in_line(serving, plan())
    serving.commit(replace(plan(), on_request=Rules([Rule("new", 5004, (steps.send(b"n"),))])))
    assert client.hear(1) == b"n"


def have_had_their_share(serving: Serving) -> None:
    serving.listeners.run_queue.exhausted = True


def was_long(serving: Serving) -> None:
    (connection,) = serving.listeners._listeners["it"].connections
    serving.listeners.run_queue.heavy.add(connection)


def begin_to_wait_again(serving: Serving) -> None:
    """A coroutine that has answered needs some turns of the loop until it waits for the next request."""
    for _ in range(3):
        serving.call(int)


@pytest.mark.parametrize("happens", [have_had_their_share, was_long])
def test_request_after_a_long_turn_is_answered_in_its_turn(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Serving], None]
) -> None:
    turns = 0
    turn = RunQueue._turn

    def counting(*arguments: Any) -> float:
        nonlocal turns
        turns += 1
        return turn(*arguments)

    monkeypatch.setattr(RunQueue, "_turn", counting)
    monkeypatch.setattr(run_queue, "TURN_SECONDS", 60)  # a slow machine makes no turn long
    monkeypatch.setattr(run_queue, "SHARE_SECONDS", 60)
    serving.commit(plan(LAST))
    client = serving.connect().say(b"last 0\n")
    assert client.hear(7) == b"last 0\n"
    for number in range(1, 5):
        begin_to_wait_again(serving)
        serving.call(happens, serving)
        data = b"last %d\n" % number
        assert client.say(data).hear(7) == data
        eventually(lambda: not serving.listeners.run_queue.heavy and not serving.listeners.run_queue.exhausted)
        assert turns == number
    begin_to_wait_again(serving)
    serving.call(happens, serving)
    client.finish()
    assert client.hear_all() == b""
    assert turns == 5, "the peer's FIN too"
    client.close()
    serving.settle()
    assert serving.count(listener_counters.REQUESTS) == 5
    assert serving.count(listener_counters.RECEIVED_BYTES) == 35
    assert serving.closed(CloseReason.PEER_EOF) == 1


def test_deadline_during_a_full_iteration_is_kept(serving: Serving) -> None:
    late = Rule("late", 5002, (steps.delay_fixed(0.05), steps.send(b"late")), matching.prefix(b"l"))
    serving.commit(plan(late))
    client = serving.connect().say(b"l\n")
    eventually(lambda: serving.count(listener_counters.REQUESTS) == 1)
    serving.call(have_had_their_share, serving)
    assert client.hear(4) == b"late"


def test_draining_many_connections_does_not_delay_others(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stagger, "BATCH_SECONDS", 0.0)  # one of them, and then the others' events
    serving.commit(plan())
    clients = [serving.connect() for _ in range(20)]
    eventually(lambda: serving.count(listener_counters.OPEN) == 20)
    serving.call(serving.listeners.drain)
    for client in clients:
        assert client.hear_all() == b""
        client.close()
    serving.settle()
    assert serving.closed(CloseReason.DRAIN) == 20


def test_accepting_many_connections_does_not_delay_others(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "BATCH_SECONDS", 0.0)  # one of them, and then the others' events
    serving.commit(plan())
    taken: list[int] = []
    (made,) = serving.listeners._acceptors.values()
    take = made._accept_queued

    def counting(*arguments: Any) -> bool:
        before = serving.count(listener_counters.ACCEPTED)
        more = take(*arguments)
        taken.append(serving.count(listener_counters.ACCEPTED) - before)
        return more

    monkeypatch.setattr(made, "_accept_queued", counting)
    for _ in range(10):
        assert serving.connect().say(b"ping\n").hear(5) == b"pong\n"
    assert max(taken) == 1
