"""The open connections of all workers: listed and closed; and the journal cleared, which its writers do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from answerback.internal.v1.link_pb2 import Chosen, ClearJournal, CloseChosen, Command, Event, ListConnections
from answerback.internal.v1.link_pb2 import Connection as Described
from answerback.shared.counters import SharedCounters
from answerback.shared.journal.region import JournalRegion
from answerback.supervisor import audit
from answerback.supervisor.options import Timeouts
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess

# Rule: a worker answers one command of a kind at a time: calls take turns.


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionQuery:
    """A filter of connections; empty fields mean any."""

    ids: Sequence[str] = ()
    listener: str = ""
    host: str = ""
    port: int = 0

    def of(self, process: WorkerProcess) -> Chosen | None:
        """Return what to ask a worker; None if none of its connections can be meant."""
        ours = [number for pid, _, number in (each.partition("-") for each in self.ids) if pid == str(process.pid)]
        if self.ids and not ours:
            return None
        return Chosen(listener=self.listener, host=self.host, port=self.port, numbers=map(int, ours))


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """An open connection of a worker."""

    worker: int
    process: int
    described: Described

    @property
    def id(self) -> str:
        """Return its id."""
        return f"{self.process}-{self.described.number}"


class Connections:
    """Asks the workers."""

    def __init__(self, counters: SharedCounters, timeouts: Timeouts, pool: WorkerPool) -> None:
        self._counters = counters
        self._timeouts = timeouts
        self._pool = pool
        self._turn = asyncio.Lock()

    async def page(self, query: ConnectionQuery, size: int, after: tuple[int, int]) -> list[OpenConnection]:
        """Return the first connections behind this process and number, by process and number."""
        found: list[OpenConnection] = []
        async with self._turn:
            for process in sorted(self._pool.processes, key=lambda each: each.pid):
                chosen = query.of(process)
                if chosen is None or process.pid < after[0] or len(found) == size:
                    continue
                number = after[1] if process.pid == after[0] else 0
                command = ListConnections(chosen=chosen, after=number, limit=size - len(found))
                event = await self._ask(process, Command(list_connections=command), "connection_list")
                if event is not None:
                    found += [
                        OpenConnection(process.slot, process.pid, each) for each in event.connection_list.connections
                    ]
        return found

    async def close(self, query: ConnectionQuery, *, reset: bool, at_once: bool = False) -> int:
        """Close connections; return how many. `at_once`: relays do not wait for a pause."""
        closed = 0
        async with self._turn:
            for process in self._pool.processes:
                chosen = query.of(process)
                if chosen is not None:
                    command = CloseChosen(chosen=chosen, reset=reset, at_once=at_once)
                    event = await self._ask(process, Command(close_chosen=command), "chosen_closed")
                    closed += event.chosen_closed.connections if event is not None else 0
        audit.note("connections closed", listener=query.listener, peer=query.host, reset=reset, connections=closed)
        return closed

    async def clear_journal(self, block: int | None) -> int:
        """Remove the records of the listener with this block, or all; return how many exchanges that were."""
        async with self._turn:
            command = Command(clear_journal=ClearJournal(block=block))
            cleared = 0
            for process in self._pool.processes:
                event = await self._ask(process, command, "journal_cleared")
                cleared += event.journal_cleared.exchanges if event is not None else 0
            written = {process.region for process in self._pool.processes}
            for region in set(range(self._counters.slots)) - written:  # no worker writes there
                journal = JournalRegion(self._counters.journal, region, self._counters.region(region))
                cleared += journal.clear(block, monotonic())
        audit.note("journal cleared", exchanges=cleared)
        return cleared

    async def _ask(self, process: WorkerProcess, command: Command, answer: str) -> Event | None:
        try:
            return await process.ask(command, answer, within_seconds=self._timeouts.answer_seconds)
        except WorkerDied:
            return None
