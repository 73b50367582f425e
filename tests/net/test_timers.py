"""Timers of some seconds as a client sees them, on both engines and loops; and that closing leaves none."""

import selectors
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from time import monotonic

import pytest

from answerback.core import steps
from answerback.core.framing import Line
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from tests.net.conftest import KINDS, Client, Serving, serving_as
from tests.waiting import eventually

SECONDS = 3.05  # past what deadlines call near, whatever the clock says
LATE = 0.1  # 20 ms are promised of an idle machine, which this one need not be
ATTEMPTS = 5


def plan(name: str, *taken: steps.Step, **limits: float) -> ListenerPlan:
    rules = Rules([Rule("rule", 5000, taken)])
    return ListenerPlan(name, "", framing=Line(keep_ending=False), on_request=rules, limits=Limits(**limits))  # type: ignore[arg-type]


PLANS = (
    plan("delay", steps.delay_fixed(SECONDS), steps.send(b"ok")),
    plan("idle", idle_timeout=SECONDS),
    plan("lifetime", lifetime=SECONDS),
)


@pytest.fixture
def servings() -> Iterator[list[Serving]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving_as(kind)) for kind in KINDS]


def lateness(servings: list[Serving]) -> list[float]:
    """How late each timer comes, in seconds."""
    late = []
    with selectors.DefaultSelector() as selector:
        for serving in servings:
            for each in PLANS:
                began = monotonic()
                client = serving.connect(each.name)
                if each.name == "delay":
                    client.say(b"go\n")
                selector.register(client.sock, selectors.EVENT_READ, (began, client))
        while selector.get_map():
            for key, _ in selector.select(10):
                began, client = key.data
                late.append(monotonic() - began - SECONDS)
                selector.unregister(key.fileobj)
                client.close()
    return late


def test_timers_of_seconds_are_neither_early_nor_late(servings: list[Serving]) -> None:
    for serving in servings:
        serving.commit(*PLANS)
    best = inf
    for _ in range(ATTEMPTS):
        late = lateness(servings)
        assert len(late) == len(KINDS) * len(PLANS)
        assert min(late) >= 0
        best = min(best, max(late))
        if best <= LATE:
            break
    assert best <= LATE


def test_closed_connections_leave_no_deadline_behind(serving: Serving) -> None:
    serving.commit(plan("it", steps.echo(), idle_timeout=60))
    deadlines = serving.listeners.deadlines
    clients: list[Client] = [serving.connect().say(b"hi\n") for _ in range(50)]
    for client in clients:
        client.hear(2)
    eventually(lambda: len(deadlines) == 50, what="a deadline for each connection")
    for client in clients:
        client.close()
    serving.settle()
    assert len(deadlines) == 0
    assert not deadlines._far
    eventually(lambda: deadlines._refill_handle is None, what="the last refill")
