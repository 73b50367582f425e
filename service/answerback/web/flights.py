"""Shares work in a thread among callers: one piece runs at a time, and at most one waits per kind."""

# Rule: a result is never older than its request: a caller that arrives while a piece runs shares the next one.
# Rule: work that all callers have cancelled is not started, or is cancelled if it runs.

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Work = Callable[[K, Callable[[], bool]], V]
"""Does the work for a kind, in the thread. It may ask whether all callers have left, and then raise anything."""


class _Flight(Generic[K, V]):
    def __init__(self, kind: K, loop: asyncio.AbstractEventLoop) -> None:
        self.kind = kind
        self.callers = 0
        self.left = threading.Event()
        self.answer: asyncio.Future[V] = loop.create_future()
        self.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())  # seen, if unused


class Flights(Generic[K, V]):
    """Shares the results of `work`."""

    def __init__(self, work: Work[K, V], name: str) -> None:
        self._work = work
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting: dict[K, _Flight[K, V]] = {}  # in the order in which they are begun
        self._running: _Flight[K, V] | None = None

    async def join(self, kind: K) -> V:
        """Return the result for a kind, from a run that starts after this call. Raises what the work raises."""
        flight = self._waiting.get(kind)
        if flight is None:
            flight = self._waiting[kind] = _Flight(kind, asyncio.get_running_loop())
        flight.callers += 1
        self._next()
        try:
            return await asyncio.shield(flight.answer)
        finally:
            flight.callers -= 1
            if not flight.callers:
                self._leave(flight)

    def close(self) -> None:
        """Start nothing more; waiting callers are cancelled."""
        for flight in self._waiting.values():
            flight.answer.cancel()
        self._waiting.clear()
        if self._running is not None:
            self._running.left.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _leave(self, flight: _Flight[K, V]) -> None:
        flight.left.set()
        if self._waiting.get(flight.kind) is flight:
            del self._waiting[flight.kind]

    def _next(self) -> None:
        if self._running is not None or not self._waiting:
            return
        kind = next(iter(self._waiting))
        flight = self._running = self._waiting.pop(kind)
        done = asyncio.get_running_loop().run_in_executor(self._thread, self._work, kind, flight.left.is_set)
        done.add_done_callback(lambda done: self._landed(flight, done))

    def _landed(self, flight: _Flight[K, V], done: "asyncio.Future[V]") -> None:
        self._running = None
        if flight.answer.done():
            pass
        elif done.cancelled():
            flight.answer.cancel()
        elif (error := done.exception()) is not None:
            flight.answer.set_exception(error)
        else:
            flight.answer.set_result(done.result())
        self._next()
