"""Schedules the connections of a worker, so that none waits long for another's work.

A turn is bounded by the session (`script.TURN_SECONDS`). A connection with work left is queued here, and so is one
with input to read after a long turn: it is not read at once. In each iteration of the event loop queued connections
get turns for `RUN_SECONDS`; between two iterations the loop polls for other events.

    connections whose turns are short     go first, as long as there is time
    connections whose last turn was long  round robin, at least one in each iteration
"""

import asyncio
from collections import deque
from time import monotonic
from typing import Protocol

from answerback.core.session.script import TURN_SECONDS
from answerback.shared.counters import PROGRESS
from answerback.shared.listener_counters import Cells

# Rule: a connection is queued at most once.
# Rule: the caller (epoll, acceptors, transports, timers) charges the time that a connection used.

RUN_SECONDS = 0.004  # seconds of queued turns in one iteration
# Seconds of events handled at once in one iteration; after that, connections with events are queued. With `RUN_SECONDS`
# and the turn that ends each, an iteration takes at most some 11 ms if turns are kept short.
SHARE_SECONDS = 0.005
# Shorter events are not charged: 50 connections answered in 20 us each are a normal iteration.
NOTABLE_SECONDS = 0.0001


class Runnable(Protocol):
    """A connection that can be queued."""

    @property
    def finished(self) -> bool:
        """Whether it is closed."""

    def run_turn(self) -> None:
        """Work for one turn. Does nothing if it is closed."""


class RunQueue:
    """The queue of a worker's connections."""

    __slots__ = (
        "_began",
        "_cells",
        "_heavy_line",
        "_line",
        "_loop",
        "_queued",
        "_scheduled",
        "_spent",
        "exhausted",
        "heavy",
    )

    exhausted: bool
    """Whether this iteration has used up its time: connections with events are queued then."""
    heavy: set[Runnable]
    """Connections whose last turn was long."""

    def __init__(self, loop: asyncio.AbstractEventLoop, region: Cells) -> None:
        """`region` is where the worker's progress is counted in the shared counters."""
        self._loop = loop
        self._cells = region
        self._line: deque[Runnable] = deque()
        self._heavy_line: deque[Runnable] = deque()
        self._queued: set[Runnable] = set()
        self.heavy = set()
        self.exhausted = False
        self._spent = 0.0  # seconds of events charged since `_began`
        self._began = 0.0
        self._scheduled = False

    def __len__(self) -> int:
        """Return how many connections are queued."""
        return len(self._queued)

    def add(self, connection: Runnable) -> None:
        """Queue a connection, unless it is queued already."""
        if connection not in self._queued:
            self._queued.add(connection)
            (self._heavy_line if connection in self.heavy else self._line).append(connection)
            self._schedule()

    def add_heavy(self, connection: Runnable) -> None:
        """Queue a connection that used up its turn, behind those with short turns."""
        self.heavy.add(connection)
        self.add(connection)

    def forget(self, connection: Runnable) -> None:
        """The connection is closed. If it is queued, its turn will be short."""
        self.heavy.discard(connection)

    def charge(self, connection: Runnable, seconds: float, now: float) -> None:
        """Account for an event of this connection that took `seconds`."""
        self._cells[PROGRESS] += 1
        if seconds >= TURN_SECONDS and not connection.finished:
            self.heavy.add(connection)
        if now - self._began > 2 * SHARE_SECONDS:
            self._began, self._spent = now - seconds, 0.0
        self._spent += seconds
        if self._spent >= SHARE_SECONDS:
            self.stop()

    def stop(self) -> None:
        """This iteration has used up its time."""
        self.exhausted = True
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)  # the loop polls first

    def _run(self) -> None:
        now = monotonic()
        self._scheduled = self.exhausted = False
        self._began, self._spent = now, 0.0
        until = now + RUN_SECONDS
        for _ in range(len(self._line)):
            if now >= until:
                break
            now = self._turn(self._line.popleft(), now)
        for _ in range(len(self._heavy_line)):
            now = self._turn(self._heavy_line.popleft(), now)
            if now >= until:
                break
        if self._queued:
            self._schedule()

    def _turn(self, connection: Runnable, began: float) -> float:
        """Give it a turn; return when the turn ended."""
        self._cells[PROGRESS] += 1
        self._queued.discard(connection)
        self.heavy.discard(connection)
        connection.run_turn()
        now = monotonic()
        if now - began >= TURN_SECONDS and not connection.finished:
            self.heavy.add(connection)
        return now
