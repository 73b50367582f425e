"""Records with the names of what they are about."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerback.core.actions import CloseReason
from answerback.shared.counters import CounterLayout
from answerback.shared.journal.layout import NO_RULE, Kind, State
from answerback.shared.journal.recorder import EVENT_NAMES
from answerback.shared.journal.records import ConnectionKey, Record

REASONS = {reason.value: reason for reason in CloseReason}
PEER_REASONS = frozenset((CloseReason.PEER_EOF, CloseReason.PEER_RESET, CloseReason.PEER_GAVE_UP))
RESET_REASONS = frozenset(
    (
        CloseReason.PEER_RESET,
        CloseReason.SERVER_RESET,
        CloseReason.WRITE_TIMEOUT,
        CloseReason.ABORTED,
        CloseReason.INTERNAL_ERROR,
        CloseReason.UPSTREAM_DOWN,
        CloseReason.UPSTREAM_RESET,
        CloseReason.UPSTREAM_LOST,
        CloseReason.UPSTREAM_WRITE_TIMEOUT,
    )
)
UPSTREAM_REASONS = frozenset((CloseReason.UPSTREAM_EOF, CloseReason.UPSTREAM_RESET))
BROKEN_REASONS = frozenset((CloseReason.PEER_LOST, CloseReason.UPSTREAM_LOST, CloseReason.WORKER_CRASHED))


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its reply. `record` has the bytes; times are seconds of the monotonic clock."""

    record: Record
    connection: ConnectionKey
    listener: str
    rule: str
    """Empty if no rule matched."""
    faults: tuple[str, ...]
    state: State

    @property
    def id(self) -> str:
        """Return what identifies it in this run of the server."""
        return f"{self.record.region}.{self.record.sequence}.{self.record.index}"

    @property
    def mismatch(self) -> str:
        """Return why the nearest rule did not match, if none did and it is known."""
        return self.record.note.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Event:
    """An answer to an event that is not a request (`rule` is set), or the end of a connection (`reason` is set)."""

    record: Record
    connection: ConnectionKey
    listener: str
    name: str = ""
    rule: str = ""
    reason: CloseReason | None = None

    @property
    def by(self) -> str:
        """Return who closed the connection: `client`, `server`, `upstream`, or `none` if it broke."""
        if self.reason in BROKEN_REASONS:
            return "none"
        if self.reason in UPSTREAM_REASONS:
            return "upstream"
        return "client" if self.reason in PEER_REASONS else "server"

    @property
    def reset(self) -> bool:
        """Return whether the connection was reset."""
        return self.reason in RESET_REASONS


class Names:
    """The names of listeners, rules and faults, by the cells that stand for them in records."""

    def __init__(self, layout: CounterLayout) -> None:
        self._layout = layout
        self._size = -1
        self._listeners: Mapping[int, str] = {}
        self._rules: Mapping[int, str] = {}
        self._faults: Mapping[int, str] = {}

    def listener(self, block: int) -> str:
        """Return the name of the listener with this block."""
        self._refresh()
        return self._listeners.get(block, "")

    def rule(self, cell: int) -> str:
        """Return the name of a rule; empty for NO_RULE."""
        self._refresh()
        return "" if cell == NO_RULE else self._rules.get(cell, "")

    def fault(self, cell: int) -> str:
        """Return the name of a fault."""
        self._refresh()
        return self._faults.get(cell, "")

    def block(self, listener: str) -> int | None:
        """Return the block of a listener; None if there was none of that name."""
        return self._layout.listeners.get(listener)

    def blocks(self) -> Mapping[str, int]:
        """Return the blocks of all listeners that there ever were."""
        return self._layout.listeners

    def cell(self, listener: str, rule: str) -> int | None:
        """Return the cell of a rule; None if there was none of that name."""
        return self._layout.rules.get((listener, rule))

    def _refresh(self) -> None:
        if self._size != self._layout.size:
            self._size = self._layout.size
            self._listeners = {block: name for name, block in self._layout.listeners.items()}
            self._rules = {cell: rule for (_, rule), cell in self._layout.rules.items()}
            self._faults = {cell: fault for (_, fault), cell in self._layout.faults.items()}

    def exchange(self, record: Record, alive: frozenset[int]) -> Exchange:
        """Return a record as an exchange. `alive`: the processes that may still complete theirs."""
        key = record.key
        state = State(record.state)
        if state is State.IN_PROGRESS and key.process not in alive:
            state = State.ABANDONED
        faults = tuple(self.fault(cell) for cell in record.faults)
        return Exchange(record, key, self.listener(key.listener), self.rule(record.rule), faults, state)

    def event(self, record: Record) -> Event:
        """Return a record of the other ring."""
        key = record.key
        listener = self.listener(key.listener)
        if record.kind == Kind.END:
            return Event(record, key, listener, reason=REASONS[record.rule])
        return Event(record, key, listener, EVENT_NAMES[record.number], self.rule(record.rule))
