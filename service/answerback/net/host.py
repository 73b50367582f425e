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
from answerback.shared.journal.recorder import ListenerJournal
from answerback.shared.listener_counters import ListenerCounters
from answerback.shared.sequences import SharedSequences

if TYPE_CHECKING:
    from answerback.net.connection import Connection


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
    process: int

    def next_connection_number(self) -> int:
        """Return a number that no other connection of this process has, from 1."""

    def unexpected(self, rule: str, explain: Callable[[], Mismatch], /) -> None:
        """Log that a frame is not what this rule's script expects, and why."""

    def connection_closed(self, connection: "Connection", peer: bytes | None) -> None:
        """The connection is closed."""
