"""A process that counts as a worker does, and is killed at a chosen write: `python -m tests.shared.dying`.

    FD SLOTS SLOT WRITES MOVE...

It makes the moves, and after WRITES writes to the memory it sends itself SIGKILL.
"""

# Rule: no hook in the product: the cells are wrapped, and the wrapper counts and kills.

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from answerback.core.actions import CloseReason
from answerback.core.plan import Limits, ListenerPlan
from answerback.net.admission import Admission
from answerback.shared.counters import SharedCounters
from answerback.shared.listener_counters import BLOCK, Cells, ListenerCounters
from answerback.shared.uncounted import AwaitingCounters

RULE = BLOCK  # the first cell behind the only listener's block
PEER = b"\x7f\0\0\1"
PLAN = ListenerPlan(name="hello", address="127.0.0.1:0")
LIMITED = replace(PLAN, limits=Limits(max_connections=3, max_connections_per_peer=3))


def moved(cells: Cells) -> dict[int, int]:
    """The cells that are not 0."""
    return {place: count for place, count in enumerate(cells[: BLOCK + 1].tolist()) if count}


def leave(books: ListenerCounters, admission: Admission) -> None:
    books.closed(CloseReason.SERVER_CLOSE, probe=False)
    admission.left(LIMITED, PEER)


def awaiting(books: ListenerCounters) -> AwaitingCounters:
    """The counters of connections whose PROXY header is awaited, in the same cells."""
    return AwaitingCounters(books._cells, books._block)


# Every transition that is counted, as a driver or a session makes it.
MOVES: dict[str, Callable[[ListenerCounters, Admission], object]] = {
    "accepted": lambda books, _: books.accepted(),
    "closed": lambda books, _: books.closed(CloseReason.PEER_EOF, probe=False),
    "probe": lambda books, _: books.closed(CloseReason.PEER_RESET, probe=True),
    "received": lambda books, _: books.received(1000),
    "sent": lambda books, _: books.sent(999),
    "requested": lambda books, _: books.requested(RULE, 1),
    "unmatched": lambda books, _: books.unmatched(1),
    "matched": lambda books, _: books.matched(RULE),
    "answered": lambda books, _: books.answered(0.002, 3),
    "delayed": lambda books, _: books.delayed(1.5),
    "truncated": lambda books, _: books.truncated(),
    "failed": lambda books, _: books.failed(),
    "rejected": lambda books, _: books.rejected("max_connections"),
    "accept_failed": lambda books, _: books.accept_failed("EMFILE"),
    "admitted": lambda books, admission: admission.admit(LIMITED, PEER, books.accepted),
    "left": leave,
    "awaited": lambda books, _: awaiting(books).accepted(),
    "announced": lambda books, _: awaiting(books).header_arrived(),
    "forgotten": lambda books, _: awaiting(books).forgotten(),
    "late": lambda books, _: awaiting(books).closed(CloseReason.PROXY_HEADER, probe=False),
}


class Fuse:
    """Counts writes, and blows after the last."""

    def __init__(self, writes: int, blow: Callable[[], object]) -> None:
        self.writes = writes
        self._blow = blow

    def burn(self) -> None:
        self.writes -= 1
        if self.writes == 0:
            self._blow()


class FusedCells:
    """Cells that burn a fuse with each write."""

    def __init__(self, cells: Cells, fuse: Fuse) -> None:
        self._cells, self._fuse = cells, fuse

    def __getitem__(self, at: Any) -> Any:
        return self._cells[at]

    def __setitem__(self, at: Any, value: Any) -> None:
        self._cells[at] = value
        self._fuse.burn()


def keep_books(memory: SharedCounters, slot: int, moves: Sequence[str], fuse: Fuse) -> None:
    """Make the moves."""
    books = ListenerCounters(cast("Cells", FusedCells(memory.region(slot), fuse)), 0)
    admission = Admission(memory, slot)
    admission._shared = cast("Cells", FusedCells(memory.shared, fuse))
    for move in moves:
        MOVES[move](books, admission)


def main() -> None:
    fd, slots, slot, writes = map(int, sys.argv[1:5])
    fuse = Fuse(writes, lambda: os.kill(os.getpid(), signal.SIGKILL))
    keep_books(SharedCounters(fd, slots), slot, sys.argv[5:], fuse)


if __name__ == "__main__":
    main()
