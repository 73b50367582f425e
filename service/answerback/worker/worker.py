"""Executes the supervisor's commands in a worker."""

import asyncio
import logging
import resource
import socket
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from answerback.internal.v1.link_pb2 import (
    Beat,
    Committed,
    CountersReset,
    Drain,
    Drained,
    Filler,
    Order,
    Paused,
    Prepare,
    Prepared,
    Refused,
    Report,
    SilenceExpected,
    SocketName,
    StoppedAccepting,
)
from answerback.language.contents import Large, Mapped
from answerback.language.problems import Problem as FoundProblem
from answerback.language.problems import Refused as ConfigRefused
from answerback.link import Link, Received, close_all
from answerback.net import fd_reserve as reserve
from answerback.net.listeners import Fillers, Listeners
from answerback.shared.counters import SharedCounters
from answerback.v1.problem_pb2 import Problem
from answerback.worker.pattern_memory import PatternMemory
from answerback.worker.plans import Compiled, compile_order

# Rule: a prepared revision is kept beside the active one, and does not affect it until it is committed.
# Rule: a worker that cannot carry out a decision exits; its successor starts with what was decided.

BEAT_SECONDS: Final = 0.5
STOP_SECONDS: Final = 0.25  # seconds within which reset connections have been counted as closed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A prepared revision."""

    compiled: Compiled
    sockets: Mapping[str, socket.socket]

    def forget(self) -> None:
        """Close the sockets that came with it."""
        for sock in self.sockets.values():
            sock.close()


class Worker:
    """Serves in one slot, as the supervisor commands."""

    def __init__(self, link: socket.socket, tally: SharedCounters, slot: int, region: int) -> None:
        """Requires a running event loop; sends heartbeats from its next iteration on. `region` is where it counts."""
        self._loop = asyncio.get_running_loop()
        self._slot = slot
        self._listeners = Listeners(self._loop, tally, slot, region)
        self._in_force = Compiled()
        self._pattern_memory = PatternMemory()
        self._ready: Ready | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        """The exit status."""
        self._link = Link(link, Order, self._received, self._orphaned, reserve.reserve_released)
        self._orders: Mapping[str, Callable[[Received[Order]], None]] = {
            "prepare": self._prepare,
            "commit": self._commit,
            "pause": self._pause,
            "expect_silence": self._expect_silence,
            "stop_accepting": self._stop_accepting,
            "abort": self._abort,
            "adopt": self._adopt,
            "release": lambda received: self._listeners.release(received.message.release.slot),
            "drain": lambda received: self._do(self._drain(received.message.drain)),
            "stop": lambda _: self._do(self._stop()),
            "reset_counters": self._reset_counters,
            "close_connections": self._close_connections,
            "keep_connections": self._keep_connections,
        }
        self._due = monotonic()
        self._loop.call_soon(self._beat)

    def _received(self, received: Received[Order]) -> None:
        kind = received.message.WhichOneof("kind")
        carry_out = self._orders.get(kind or "")
        if carry_out is None:
            log.warning("ignored a command that this worker does not know")
            return
        try:
            carry_out(received)
        except Exception:
            log.exception("command failed", extra={"order": kind})
            self._end(1)

    def _prepare(self, received: Received[Order]) -> None:
        order = received.message.prepare
        self._forget()
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if received.lost:
            asked = len(order.sockets) + sum(each.passed for each in order.files)
            text = f"has no descriptors free for {received.lost} of {asked} sockets and files (RLIMIT_NOFILE {limit})"
            self._refuse(order.revision, [FoundProblem("", text)])
            return
        try:
            large = mapped_files(order, received.files)
        except OSError as error:
            received.close()
            text = f"cannot map {len(received.files)} files: {error.strerror} (RLIMIT_NOFILE {limit})"
            self._refuse(order.revision, [FoundProblem("", text)])
            return
        close_all(received.files)
        sockets = by_key(order.sockets, received.sockets)
        self._do(self._compile(order, sockets, large))

    async def _compile(
        self, order: Prepare, sockets: Mapping[str, socket.socket], large: Mapping[bytes, Large]
    ) -> None:
        try:
            compiled = await self._loop.run_in_executor(
                None, compile_order, order, self._in_force, large, self._pattern_memory
            )
        except Exception as error:
            for sock in sockets.values():
                sock.close()
            if not isinstance(error, ConfigRefused):
                log.exception("compiling failed", extra={"revision": order.revision})
                error = ConfigRefused([FoundProblem("", f"could not compile revision {order.revision}; see its log")])
            self._refuse(order.revision, error.problems)
            return
        self._ready = Ready(compiled, sockets)
        self._link.send(Report(prepared=Prepared(revision=order.revision)))

    def _refuse(self, revision: int, problems: Sequence[FoundProblem]) -> None:
        said = [Problem(path=problem.path, message=problem.message) for problem in problems]
        self._link.send(Report(refused=Refused(revision=revision, problems=said)))

    def _commit(self, received: Received[Order]) -> None:
        revision = received.message.commit.revision
        ready, self._ready = self._ready, None
        if ready is None or ready.compiled.plan.revision != revision:
            raise RuntimeError(f"revision {revision} cannot be committed: it was not prepared")
        self._listeners.commit(ready.compiled.plan, ready.sockets, by_address(received.message.commit.fillers))
        self._in_force = ready.compiled
        self._link.send(Report(committed=Committed(revision=revision)))

    def _pause(self, received: Received[Order]) -> None:
        self._listeners.pause(received.message.pause.sockets)
        self._link.send(Report(paused=Paused()))

    def _expect_silence(self, received: Received[Order]) -> None:
        self._listeners.expect_silence(received.message.expect_silence.sockets)
        self._link.send(Report(silence_expected=SilenceExpected()))

    def _stop_accepting(self, received: Received[Order]) -> None:
        self._listeners.stop_accepting(received.message.stop_accepting.sockets)
        self._link.send(Report(stopped_accepting=StoppedAccepting()))

    def _abort(self, received: Received[Order]) -> None:
        self._forget()
        self._listeners.resume(by_address(received.message.abort.fillers))

    def _forget(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.forget()

    def _adopt(self, received: Received[Order]) -> None:
        adopt = received.message.adopt
        if received.lost:
            log.error("no free descriptors to accept for another worker", extra={"slot": adopt.slot})
            return
        self._listeners.adopt(adopt.slot, by_key(adopt.sockets, received.sockets), by_address(adopt.fillers))

    async def _drain(self, order: Drain) -> None:
        self._listeners.drain(order.over_milliseconds / 1000, succeeded=order.succeeded)
        await self._listeners.closed()
        self._link.send(Report(drained=Drained()))

    def _close_connections(self, received: Received[Order]) -> None:
        order = received.message.close_connections
        for listener in self._listeners.named(order.listeners):
            if order.reset:
                listener.abort()
            else:
                listener.drain(order.over_milliseconds / 1000)

    def _keep_connections(self, received: Received[Order]) -> None:
        for listener in self._listeners.named(received.message.keep_connections.listeners):
            listener.drain_no_more()

    def _reset_counters(self, received: Received[Order]) -> None:
        self._listeners.claims.reset(received.message.reset_counters.places)
        self._link.send(Report(counters_reset=CountersReset()))

    async def _stop(self) -> None:
        self._listeners.abort()
        await asyncio.wait((self._loop.create_task(self._listeners.closed()),), timeout=STOP_SECONDS)
        self._end(0)

    def _orphaned(self) -> None:
        """The supervisor is gone, or has closed the link."""
        self._end(0)

    def _end(self, status: int) -> None:
        if not self.ended.done():
            self.ended.set_result(status)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("command failed", exc_info=error)
            self._end(1)

    def _beat(self) -> None:
        lag = monotonic() - self._due
        self._due += lag + BEAT_SECONDS
        self._link.send(Report(beat=Beat(lag_microseconds=max(0, int(lag * 1e6)))))
        self._loop.call_later(BEAT_SECONDS, self._beat)


def by_key(names: Sequence[SocketName], sockets: Sequence[socket.socket]) -> dict[str, socket.socket]:
    """Return the sockets that came with a command, by their keys."""
    return {name.key: sock for name, sock in zip(names, sockets, strict=True)}


def mapped_files(order: Prepare, descriptors: Sequence[int]) -> dict[bytes, Large]:
    """Return the large contents that came with a command, by digest. Raises OSError if one cannot be mapped."""
    passed = [each for each in order.files if each.passed]
    with reserve.reserve_released():
        return {
            each.digest: Mapped(descriptor, each.digest, each.size)
            for each, descriptor in zip(passed, descriptors, strict=True)
        }


def by_address(fillers: Iterable[Filler]) -> Fillers:
    """Return the addresses of the fillers, by the key of the address they fill."""
    found: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for filler in fillers:
        found[filler.socket].add((filler.host, filler.port))
    return found
