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

from answerback.concurrency.tasks import Tasks
from answerback.internal.v1.link_pb2 import (
    ChosenClosed,
    Command,
    Committed,
    CountersReset,
    Drain,
    Drained,
    Event,
    Filler,
    Heartbeat,
    JournalCleared,
    Paused,
    Prepare,
    Prepared,
    Rejected,
    SocketName,
    StoppedAccepting,
    SynFiltersAnnounced,
)
from answerback.language.contents import Large, Mapped
from answerback.language.problems import InvalidConfig, Problem
from answerback.link import Link, Received, close_all
from answerback.net import fd_reserve
from answerback.net.listeners import Fillers, Listeners
from answerback.net.signals import Act
from answerback.shared.counters import SharedCounters
from answerback.v1 import problem_pb2
from answerback.worker import certificates, connections
from answerback.worker.pattern_memory import PatternMemory
from answerback.worker.plans import Compiled, compile_command
from answerback.worker.signals import news
from answerback.worker.variables import LazyVariables

# Rule: a prepared revision is kept beside the active one, and does not affect it until it is committed.
# Rule: a worker that cannot carry out a decision exits; its successor starts with what was decided.

HEARTBEAT_SECONDS: Final = 0.5
STOP_SECONDS: Final = 0.25  # seconds within which reset connections have been counted as closed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedRevision:
    """A prepared revision."""

    compiled: Compiled
    sockets: Mapping[str, socket.socket]

    def discard(self) -> None:
        """Close the sockets that came with it."""
        for sock in self.sockets.values():
            sock.close()


class Worker:
    """Serves in one slot, as the supervisor commands."""

    def __init__(
        self, link: socket.socket, counters: SharedCounters, slot: int, region: int, variables_folder: str = ""
    ) -> None:
        """Requires a running event loop; sends heartbeats from its next iteration on. `region` is where it counts.

        `variables_folder`: the directory of the shared variables, which the supervisor made.
        """
        self._loop = asyncio.get_running_loop()
        self._slot = slot
        self._variables = LazyVariables(self._loop, variables_folder)
        self._listeners = Listeners(self._loop, counters, slot, region, self._variables.view, self._tell_signals)
        self._active = Compiled()
        self._pattern_memory = PatternMemory()
        self._prepared: PreparedRevision | None = None
        self._tasks = Tasks()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        """The exit status."""
        self._link = Link(link, Command, self._received, self._orphaned, fd_reserve.reserve_released)
        self._handlers: Mapping[str, Callable[[Received[Command]], None]] = {
            "prepare": self._prepare,
            "commit": self._commit,
            "pause": self._pause,
            "announce_syn_filters": self._announce_syn_filters,
            "stop_accepting": self._stop_accepting,
            "abort": self._abort,
            "adopt": self._adopt,
            "release": lambda received: self._listeners.release(received.message.release.slot),
            "drain": lambda received: self._start(self._drain(received.message.drain)),
            "stop": lambda _: self._start(self._stop()),
            "reset_counters": self._reset_counters,
            "close_connections": self._close_connections,
            "keep_connections": self._keep_connections,
            "clear_journal": self._clear_journal,
            "list_connections": self._list_connections,
            "close_chosen": self._close_chosen,
            "load_certificates": self._load_certificates,
            "grant_signals": lambda received: self._listeners.signals.granted(received.message.grant_signals.waits),
        }
        self._due = monotonic()
        self._loop.call_soon(self._heartbeat)

    def _received(self, received: Received[Command]) -> None:
        kind = received.message.WhichOneof("kind")
        handler = self._handlers.get(kind or "")
        if handler is None:
            log.warning("ignored a command that this worker does not know")
            return
        try:
            handler(received)
        except Exception:
            log.exception("command failed", extra={"command": kind})
            self._end(1)

    def _prepare(self, received: Received[Command]) -> None:
        command = received.message.prepare
        self._discard()
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if received.lost:
            count = len(command.sockets) + sum(each.passed for each in command.files)
            text = f"no descriptors are free for {received.lost} of {count} sockets and files (RLIMIT_NOFILE {limit})"
            self._reject(command.revision, [Problem("", text)])
            return
        try:
            large = mapped_files(command, received.files)
        except OSError as error:
            received.close()
            text = f"{len(received.files)} files cannot be mapped: {error.strerror} (RLIMIT_NOFILE {limit})"
            self._reject(command.revision, [Problem("", text)])
            return
        close_all(received.files)
        sockets = by_key(command.sockets, received.sockets)
        self._start(self._compile(command, sockets, large))

    async def _compile(
        self, command: Prepare, sockets: Mapping[str, socket.socket], large: Mapping[bytes, Large]
    ) -> None:
        try:
            compiled = await self._loop.run_in_executor(
                None, compile_command, command, self._active, large, self._pattern_memory
            )
        except Exception as error:
            for sock in sockets.values():
                sock.close()
            if not isinstance(error, InvalidConfig):
                log.exception("compiling failed", extra={"revision": command.revision})
                error = InvalidConfig(
                    [
                        Problem(
                            "", f"revision {command.revision} could not be compiled; see the log lines of this worker"
                        )
                    ]
                )
            self._reject(command.revision, error.problems)
            return
        self._prepared = PreparedRevision(compiled, sockets)
        self._link.send(Event(prepared=Prepared(revision=command.revision)))

    def _reject(self, revision: int, problems: Sequence[Problem]) -> None:
        found = [problem_pb2.Problem(path=problem.path, message=problem.message) for problem in problems]
        self._link.send(Event(rejected=Rejected(revision=revision, problems=found)))

    def _commit(self, received: Received[Command]) -> None:
        revision = received.message.commit.revision
        prepared, self._prepared = self._prepared, None
        if prepared is None or prepared.compiled.plan.revision != revision:
            raise RuntimeError(f"revision {revision} cannot be committed: it was not prepared")
        self._listeners.commit(prepared.compiled.plan, prepared.sockets, by_address(received.message.commit.fillers))
        self._active = prepared.compiled
        self._link.send(Event(committed=Committed(revision=revision)))

    def _pause(self, received: Received[Command]) -> None:
        self._listeners.pause(received.message.pause.sockets)
        self._link.send(Event(paused=Paused()))

    def _announce_syn_filters(self, received: Received[Command]) -> None:
        self._listeners.expect_syn_filters(received.message.announce_syn_filters.sockets)
        self._link.send(Event(syn_filters_announced=SynFiltersAnnounced()))

    def _stop_accepting(self, received: Received[Command]) -> None:
        self._listeners.stop_accepting(received.message.stop_accepting.sockets)
        self._link.send(Event(stopped_accepting=StoppedAccepting()))

    def _abort(self, received: Received[Command]) -> None:
        self._discard()
        self._listeners.resume(by_address(received.message.abort.fillers))

    def _discard(self) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.discard()

    def _adopt(self, received: Received[Command]) -> None:
        adopt = received.message.adopt
        if received.lost:
            log.error("no free descriptors to accept for another worker", extra={"slot": adopt.slot})
            return
        self._listeners.adopt(adopt.slot, by_key(adopt.sockets, received.sockets), by_address(adopt.fillers))

    async def _drain(self, command: Drain) -> None:
        self._listeners.drain(command.over_milliseconds / 1000, succeeded=command.handed_over)
        await self._listeners.closed()
        self._link.send(Event(drained=Drained()))

    def _close_connections(self, received: Received[Command]) -> None:
        command = received.message.close_connections
        for listener in self._listeners.named(command.listeners):
            if command.reset:
                listener.abort()
            else:
                listener.drain(command.over_milliseconds / 1000)

    def _keep_connections(self, received: Received[Command]) -> None:
        for listener in self._listeners.named(received.message.keep_connections.listeners):
            listener.drain_no_more()

    def _clear_journal(self, received: Received[Command]) -> None:
        command = received.message.clear_journal
        block = command.block if command.HasField("block") else None
        cleared = self._listeners.journal.clear(block, monotonic())
        self._link.send(Event(journal_cleared=JournalCleared(exchanges=cleared)))

    def _list_connections(self, received: Received[Command]) -> None:
        found = connections.described(self._listeners, received.message.list_connections)
        self._link.send(Event(connection_list=found))

    def _close_chosen(self, received: Received[Command]) -> None:
        closed = connections.close(self._listeners, received.message.close_chosen)
        self._listeners.signals.flush()  # a caller who resets the signals next resets those of these connections too
        self._link.send(Event(chosen_closed=ChosenClosed(connections=closed)))

    def _load_certificates(self, received: Received[Command]) -> None:
        certificates.load(received.message.load_certificates.certificates, self._active.plan)

    def _tell_signals(self, acts: Sequence[Act]) -> None:
        self._link.send(news(acts))

    def _reset_counters(self, received: Received[Command]) -> None:
        reset = received.message.reset_counters
        self._listeners.sequences.reset(reset.cells, reset.peer_cells)
        self._link.send(Event(counters_reset=CountersReset()))

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

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(self._or_exit(work))

    async def _or_exit(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("command failed")
            self._end(1)

    def _heartbeat(self) -> None:
        lag = monotonic() - self._due
        self._due += lag + HEARTBEAT_SECONDS
        self._link.send(Event(heartbeat=Heartbeat(lag_microseconds=max(0, int(lag * 1e6)))))
        self._loop.call_later(HEARTBEAT_SECONDS, self._heartbeat)


def by_key(names: Sequence[SocketName], sockets: Sequence[socket.socket]) -> dict[str, socket.socket]:
    """Return the sockets that came with a command, by their keys."""
    return {name.key: sock for name, sock in zip(names, sockets, strict=True)}


def mapped_files(command: Prepare, descriptors: Sequence[int]) -> dict[bytes, Large]:
    """Return the large contents that came with a command, by digest. Raises OSError if one cannot be mapped."""
    passed = [each for each in command.files if each.passed]
    with fd_reserve.reserve_released():
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
