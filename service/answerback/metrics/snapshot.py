"""The data of a scrape: the shared counters summed over all slots, and values of the supervisor and its workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from answerback.core.actions import CloseReason
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.journal.counts import entries
from answerback.shared.listener_counters import (
    ACCEPTED,
    BLOCK,
    CLOSED,
    JOURNAL_OFF,
    OPEN,
    REQUESTS,
    UNMATCHED,
    unrecorded,
)

# Rule: a later transition is read before the earlier one it depends on (closed before accepted, matches before
#       requests), so that no snapshot shows more of the later one.


class WorkerRuntime(Protocol):
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
class Runtime:
    """Values that are not in the shared counters."""

    version: str
    """The version of this program."""
    revision: int
    """The active revision; 0 before the first."""
    last_applied: float
    """When a configuration was last applied, or found active already, in seconds of Unix time; 0 for never."""
    last_rejected: float
    """When a configuration was last rejected, in seconds of Unix time; 0 for never."""
    workers: Sequence[WorkerRuntime]
    """The workers, by slot."""
    applied: int = 0
    """How many configurations were applied since the start."""
    rejected: int = 0
    """How many configurations were rejected since the start."""
    file_rejected: bool = False
    """Whether the current content of the configuration file was rejected."""
    ready: bool = False
    """Whether the server is ready."""
    certificates_loaded: int = 0
    """How often changed certificates of listeners were loaded since the start."""
    certificates_rejected: int = 0
    """How often changed files of certificates could not be used since the start."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The most important counts of a listener, over all slots."""

    accepted: int
    open: int
    requests: int
    unmatched: int = 0
    """Requests that no rule matched."""
    aborted: int = 0
    """Connections that were reset at the end of a grace period."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All values at one time, summed over all slots."""

    listeners: Mapping[str, Sequence[int]]
    """Each listener's block of cells."""
    rules: Mapping[tuple[str, str], int]
    """Matches by listener and rule."""
    unexpected_frames: Mapping[tuple[str, str], int]
    """Received frames that a rule did not expect, by listener and rule."""
    faults: Mapping[tuple[str, str], int]
    """How often each fault applied, by listener and fault."""
    runtime: Runtime
    journal: Mapping[str, int] = field(default_factory=dict)
    """How many requests of each listener are in the journal."""
    journal_disabled: Mapping[str, int] = field(default_factory=dict)
    """How many requests of each listener were not recorded since its journal was switched off."""


class Placed(Protocol):
    """The cells of listeners, rules and faults, by name: all (`CounterLayout`), or those with series (`Shown`)."""

    @property
    def listeners(self) -> Mapping[str, int]:
        """Where each listener's block begins."""

    @property
    def rules(self) -> Mapping[tuple[str, str], int]:
        """The cell of each rule's matches."""

    @property
    def unexpected_frames(self) -> Mapping[tuple[str, str], int]:
        """The cell of the frames that each rule did not expect."""

    @property
    def faults(self) -> Mapping[tuple[str, str], int]:
        """The cell that counts how often each fault applied."""


def read(memory: SharedCounters, places: Placed, runtime: Runtime) -> Snapshot:
    """Read all values, summed over all slots."""
    regions = [memory.region(slot) for slot in range(memory.slots)]
    rules, unexpected, faults = (
        {key: sum([cells[place] for cells in regions]) for key, place in named.items()}
        for named in (places.rules, places.unexpected_frames, places.faults)
    )
    ends = {name: _later_cells(memory, place) for name, place in places.listeners.items()}
    kept = [entries(memory, slot) for slot in range(memory.slots)]
    listeners: dict[str, Sequence[int]] = {}
    journal: dict[str, int] = {}
    disabled: dict[str, int] = {}
    for name, place in places.listeners.items():
        heads = [memory.region(slot)[place : place + CLOSED].tolist() for slot in range(memory.slots)]
        listeners[name] = _summed(heads, ends[name])
        journal[name] = sum(counts.get(place, 0) for counts in kept)
        disabled[name] = sum(
            max(0, unrecorded(memory.region(slot), place, kept[slot].get(place, 0)))
            for slot in range(memory.slots)
            if memory.region(slot)[place + JOURNAL_OFF]
        )
    return Snapshot(listeners, rules, unexpected, faults, runtime, journal, disabled)


def read_block(memory: SharedCounters, place: int) -> Sequence[int]:
    """The block of cells that begins at `place`, summed over all slots."""
    ends = _later_cells(memory, place)
    return _summed([memory.region(slot)[place : place + CLOSED].tolist() for slot in range(memory.slots)], ends)


def _later_cells(memory: SharedCounters, place: int) -> list[list[int]]:
    """Return the part of a block in each slot that depends on the rest of it: it is read first."""
    return [memory.region(slot)[place + CLOSED : place + BLOCK].tolist() for slot in range(memory.slots)]


def _summed(heads: list[list[int]], ends: list[list[int]]) -> list[int]:
    rows = [head + end for head, end in zip(heads, ends, strict=True)]
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
    aborted = block[CLOSED + CloseReason.ABORTED]
    return Counts(block[ACCEPTED], block[OPEN], block[REQUESTS], block[UNMATCHED], aborted)
