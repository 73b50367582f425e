"""What a connection needs of its listener."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Protocol

from answerback.core.matching import Mismatch
from answerback.core.plan import ActivePlan
from answerback.core.shared_view import SharedView
from answerback.net.deadlines import Deadlines
from answerback.net.poller import Poller
from answerback.net.run_queue import RunQueue
from answerback.net.signals import Signals
from answerback.shared.journal.listener_journal import ListenerJournal
from answerback.shared.listener_counters import ListenerCounters
from answerback.shared.sequences import SharedSequences

if TYPE_CHECKING:
    from answerback.net.announcing import Announcing
    from answerback.net.served import Served


class Host(Protocol):
    """The listener, as its connections see it."""

    name: str
    loop: asyncio.AbstractEventLoop
    active: ActivePlan
    counters: ListenerCounters
    deadlines: Deadlines
    poller: Poller
    run_queue: RunQueue
    chance: Random
    sequences: SharedSequences
    shared_view: Callable[[], SharedView]

    signals: Signals
    journal: ListenerJournal | None
    announcing: "Announcing | None"
    """None where connections do not begin with a PROXY header."""
    process: int

    def next_connection_number(self) -> int:
        """Return a number that no other connection of this process has, from 1."""

    def unexpected(self, rule: str, explain: Callable[[], Mismatch], /) -> None:
        """Log that a frame is not what this rule's script expects, and why."""

    def connection_closed(self, connection: "Served", peer: bytes | None) -> None:
        """The connection is closed."""


class HostBeside:
    """Connections of a listener that are not counted as its own. They know it as `Host`."""

    announcing: "Announcing | None" = None
    """They are past their header."""

    def __init__(self, listener: Host, active: ActivePlan, counters: ListenerCounters) -> None:
        self._listener = listener
        self.name = listener.name
        self.loop = listener.loop
        self.active = active
        self.counters: ListenerCounters = counters
        self.deadlines = listener.deadlines
        self.poller = listener.poller
        self.run_queue = listener.run_queue
        self.signals = listener.signals
        self.chance = listener.chance
        self.sequences = listener.sequences
        self.shared_view = listener.shared_view
        self.journal: ListenerJournal | None = None
        self.process = listener.process
        self.next_connection_number = listener.next_connection_number
        self.unexpected = listener.unexpected

    def connection_closed(self, connection: "Served", peer: bytes | None) -> None:  # noqa: ARG002 - none was counted
        """See `Host`."""
        self._listener.connection_closed(connection, None)
