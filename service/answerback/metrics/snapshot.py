"""The data of a scrape: the shared counters summed over all slots, and facts about the supervisor and its workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from answerback.core.actions import CloseReason
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.listener_counters import ACCEPTED, BLOCK, CLOSED, OPEN, REQUESTS

# Rule: a later transition is read before the earlier one it depends on (closed before accepted, matches before
#       requests), so that no reading shows more of the later one.


class WorkerFacts(Protocol):
    """A slot and its process, if there is one."""

    @property
    def index(self) -> int:
        """The slot, from 0."""

    @property
    def running(self) -> bool:
        """Whether there is a process that has reported to be up."""

    @property
    def revision(self) -> int:
        """The revision it serves; 0 before the first."""

    @property
    def restarts(self) -> int:
        """How often a process in this slot has died and been replaced."""

    @property
    def planned_restarts(self) -> int:
        """How often a process in this slot has been replaced as planned."""

    @property
    def start_seconds(self) -> float:
        """Seconds from exec to the first heartbeat of the latest process; 0 before it."""

    @property
    def loop_lag_seconds(self) -> float:
        """How late its latest heartbeat came, in seconds."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Values that are not in the shared counters."""

    version: str
    """The version of this program."""
    revision: int
    """The active revision; 0 before the first."""
    last_applied: float
    """When a configuration was last applied, or found active already, in seconds of Unix time; 0 for never."""
    last_refused: float
    """When a configuration was last rejected, in seconds of Unix time; 0 for never."""
    workers: Sequence[WorkerFacts]
    """The workers, by slot."""
    applied: int = 0
    """How many configurations were applied since the start."""
    refused: int = 0
    """How many configurations were rejected since the start."""
    file_refused: bool = False
    """Whether the current content of the configuration file was rejected."""
    ready: bool = False
    """Whether the server is ready."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The most important counts of a listener, over all slots."""

    accepted: int
    open: int
    requests: int
    aborted: int = 0
    """Connections that were reset at the end of a grace period."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One snapshot of all values, summed over all slots."""

    listeners: Mapping[str, Sequence[int]]
    """Each listener's block of cells."""
    rules: Mapping[tuple[str, str], int]
    """Matches by listener and rule."""
    faults: Mapping[tuple[str, str], int]
    """How often each fault applied, by listener and fault."""
    facts: Facts


class Placed(Protocol):
    """The cells of listeners, rules and faults, by name: all (`CounterLayout`), or those with series (`Shown`)."""

    @property
    def listeners(self) -> Mapping[str, int]:
        """Where each listener's block begins."""

    @property
    def rules(self) -> Mapping[tuple[str, str], int]:
        """The cell of each rule's matches."""

    @property
    def faults(self) -> Mapping[tuple[str, str], int]:
        """The cell that counts how often each fault applied."""


def read(memory: SharedCounters, places: Placed, facts: Facts) -> Reading:
    """Read all values, summed over all slots."""
    regions = [memory.region(slot) for slot in range(memory.slots)]
    rules, faults = (
        {key: sum([cells[place] for cells in regions]) for key, place in named.items()}
        for named in (places.rules, places.faults)
    )
    listeners = {name: read_block(memory, place) for name, place in places.listeners.items()}
    return Reading(listeners, rules, faults, facts)


def read_block(memory: SharedCounters, place: int) -> Sequence[int]:
    """The block of cells that begins at `place`, summed over all slots."""
    rows: list[list[int]] = []
    for slot in range(memory.slots):
        cells = memory.region(slot)[place : place + BLOCK]
        ends = cells[CLOSED:].tolist()
        rows.append(cells[:CLOSED].tolist() + ends)
    return [sum(column) for column in zip(*rows, strict=True)]


def read_open(memory: SharedCounters, place: int) -> int:
    """Return the number of open connections of the listener whose block begins at `place`."""
    return sum(memory.region(slot)[place + OPEN] for slot in range(memory.slots))


def read_counts(memory: SharedCounters, places: CounterLayout, listener: str) -> Counts:
    """Return the counts of one listener; all 0 if it never had a block."""
    place = places.listeners.get(listener)
    if place is None:
        return Counts(0, 0, 0)
    block = read_block(memory, place)
    return Counts(block[ACCEPTED], block[OPEN], block[REQUESTS], block[CLOSED + CloseReason.ABORTED])
