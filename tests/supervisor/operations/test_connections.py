"""Which workers are asked for connections, and what becomes of their answers; workers are made up."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from answerback.internal.v1.link_pb2 import (
    ChosenClosed,
    Command,
    Connection,
    ConnectionList,
    Event,
    JournalCleared,
    ListConnections,
)
from answerback.shared.counters import SharedCounters
from answerback.supervisor.operations.connections import ConnectionQuery, Connections
from answerback.supervisor.options import Timeouts
from answerback.supervisor.workers.process import WorkerDied
from tests.shared.journal_writing import Writing

if TYPE_CHECKING:
    from answerback.supervisor.workers.pool import WorkerPool


@dataclass
class Process:
    """A worker with connections of these numbers."""

    pid: int
    slot: int
    numbers: tuple[int, ...] = ()
    died: bool = False
    asked: list[Command] = field(default_factory=list)

    @property
    def region(self) -> int:
        return self.slot

    async def ask(self, command: Command, answer: str, *, within_seconds: float) -> Event:
        assert within_seconds > 0
        self.asked.append(command)
        if self.died:
            raise WorkerDied("gone", "killed")
        if answer == "connection_list":
            return Event(connection_list=ConnectionList(connections=self._listed(command.list_connections)))
        if answer == "chosen_closed":
            return Event(chosen_closed=ChosenClosed(connections=len(self.numbers)))
        return Event(journal_cleared=JournalCleared(exchanges=len(self.numbers)))

    def _listed(self, asked: ListConnections) -> list[Connection]:
        chosen = [number for number in self.numbers if number > asked.after]
        return [Connection(number=number) for number in chosen[: asked.limit]]


def over(*processes: Process, counters: SharedCounters | None = None) -> Connections:
    @dataclass
    class Pool:
        processes: tuple[Process, ...]

    return Connections(counters or SharedCounters.create(1), Timeouts(), cast("WorkerPool", Pool(processes)))


async def ids(connections: Connections, size: int, after: tuple[int, int] = (0, 0), **query: object) -> list[str]:
    wanted = ConnectionQuery(**query)  # type: ignore[arg-type]
    return [each.id for each in await connections.page(wanted, size, after)]


async def test_pages_list_connections_by_process_and_number() -> None:
    connections = over(Process(20, 0, (1, 2, 3)), Process(10, 1, (5, 6)))
    assert await ids(connections, 9) == ["10-5", "10-6", "20-1", "20-2", "20-3"]
    assert await ids(connections, 3) == ["10-5", "10-6", "20-1"]
    assert await ids(connections, 3, (10, 5)) == ["10-6", "20-1", "20-2"]
    assert await ids(connections, 3, (20, 1)) == ["20-2", "20-3"]
    assert await ids(connections, 3, (20, 3)) == []


async def test_full_page_asks_no_further_worker() -> None:
    last = Process(20, 0, (1,))
    assert await ids(over(Process(10, 1, (5, 6)), last), 2) == ["10-5", "10-6"]
    assert last.asked == []


async def test_only_workers_whose_connections_are_meant_are_asked() -> None:
    one, other = Process(10, 0, (1,)), Process(20, 1, (1,))
    await over(one, other).page(ConnectionQuery(ids=("20-1", "20-7", "x")), 9, (0, 0))
    assert one.asked == []
    assert list(other.asked[0].list_connections.chosen.numbers) == [1, 7]


@pytest.mark.parametrize("reset", [False, True])
async def test_closed_connections_of_all_workers_that_live_are_counted(reset: bool) -> None:
    processes = Process(10, 0, (1, 2)), Process(20, 1, (3,), died=True), Process(30, 2, (4,))
    assert await over(*processes).close(ConnectionQuery(listener="a"), reset=reset) == 3
    assert [process.asked[0].close_chosen.reset for process in processes] == [reset] * 3


async def test_journal_without_a_writer_is_cleared_by_the_supervisor() -> None:
    writing = Writing()  # in region 0 of 2
    for number in range(3):
        writing.exchange(b"%d" % number)
    assert await over(Process(10, 1, (1, 2)), counters=writing.counters).clear_journal(None) == 5
    assert writing.kept() == []
