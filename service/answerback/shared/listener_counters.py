"""The counters of one listener in one slot: each is updated by one method.

At rest, accepted = closed (by reason) + open, over all slots; the three are counted independently. Where connections
begin with a PROXY header, accepted + awaiting a header = closed + open.
"""

from bisect import bisect_left
from enum import IntEnum
from typing import Final

from answerback.core.actions import CloseReason
from answerback.core.tls import Handshakes

# Rule: each count is updated by one method, here; drivers and sessions call it at the transition itself.
# Rule: the layout of a block is fixed while the shared memory lives, which outlives workers.

Cells = memoryview  # of u64 (format "Q")

# Upper bounds of the request duration histogram, in seconds: loopback answers take tens of µs, scripted delays minutes.
DURATION_BOUNDS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
)  # fmt: skip

# Why accept(2) failed; any other errno counts as the last. Values of a label, and what docs/reference/metrics.md says.
ACCEPT_ERRORS: Final = {
    "EMFILE": "The worker has no free descriptor. Waiting connections are accepted once one is free.",
    "ENFILE": "The machine has no free file. Waiting connections are accepted once one is free.",
    "ENOBUFS": "The kernel has no memory for the socket.",
    "ENOMEM": "The kernel has no memory for the socket.",
    "ECONNABORTED": "The peer left the queue before it was accepted.",
    "EPROTO": "A protocol error on the queued connection.",
    "EPERM": "A firewall forbids the connection.",
    "other": "Any other errno.",
}
# Why a connection was rejected right after accept. Such a connection is in none of the other counts.
REJECTIONS: Final = {
    "max_connections": "The listener had `max_connections` open connections.",
    "max_connections_per_peer": "The peer had `max_connections_per_peer` open connections to the listener.",
}
# Why a client's connection to the upstream could not be made; any other errno counts as the last.
UPSTREAM_ERRORS: Final = {
    "ECONNREFUSED": "Nothing listens at the upstream's address.",
    "timeout": "The time `connect_timeout` passed.",
    "name": "The upstream's name has no address, or no name server answers.",
    "EHOSTUNREACH": "The upstream's machine does not answer.",
    "ENETUNREACH": "There is no route to the upstream.",
    "ETIMEDOUT": "The kernel gave up before `connect_timeout`.",
    "ECONNRESET": "The upstream reset the connection while it was made.",
    "ENOENT": "The Unix socket does not exist.",
    "EACCES": "The server may not connect to the Unix socket, or a firewall forbids it.",
    "EADDRNOTAVAIL": "This machine has no port left for connections to the upstream.",
    "EMFILE": "The worker has no free descriptor.",
    "tls": "The TLS handshake with the upstream failed, because of its certificate for example; a log line says why.",
    "other": "Any other errno.",
}
ACCEPT_ERROR_NAMES: Final = tuple(ACCEPT_ERRORS)
UPSTREAM_ERROR_NAMES: Final = tuple(UPSTREAM_ERRORS)
REJECTION_NAMES: Final = tuple(REJECTIONS)

# A listener's block, in cells from its first.
ACCEPTED: Final = 0
OPEN: Final = 1
RECEIVED_BYTES: Final = 2
SENT_BYTES: Final = 3
REQUESTS: Final = 4
UNMATCHED: Final = 5
TRUNCATED: Final = 6
PROBES: Final = 7
DELAY_NANOSECONDS: Final = 8
DURATION_NANOSECONDS: Final = 9
SESSION_ERRORS: Final = 10
PEERS_EVICTED: Final = 11
AWAITING_HEADER: Final = 12
CLOSED: Final = 16  # one per CloseReason
DURATION: Final = 48  # one per bound, and one above them
UPSTREAM_HANDSHAKES: Final = 72  # one per Handshakes
REJECTED: Final = 80
ACCEPT_FAILED: Final = 88
JOURNAL_DROPPED: Final = 104  # one per Dropped
JOURNAL_DROPPED_AT: Final = 108  # one per Dropped: the newest time of such an entry, in monotonic nanoseconds
JOURNAL_OFF: Final = 112  # 1 while the listener's requests are not journalled
RELAYS: Final = 113  # 1 from when the listener first had an upstream: what follows has series from then on
UPSTREAM_CONNECTED: Final = 114
UPSTREAM_RECEIVED_BYTES: Final = 115
UPSTREAM_SENT_BYTES: Final = 116
UPSTREAM_NANOSECONDS: Final = 117
UPSTREAM_FAILED: Final = 120
UPSTREAM_DURATION: Final = 136  # one per bound, and one above them
HANDSHAKES: Final = 155  # one per Handshakes
BLOCK: Final = 160


class Dropped(IntEnum):
    """Why a request is not in the journal. The names are values of the metric label `reason`."""

    EVICTED = 0
    """The exchange was dropped to make room."""
    CLEARED = 1
    """The exchange was removed on request."""
    DISABLED = 2
    """The journal was off."""
    WORKER_LOST = 3
    """Its worker died before it was in the journal."""

    @property
    def label(self) -> str:
        """The value of the metric label."""
        return self.name.lower()


def count_dropped(cells: Cells, block: int, reason: Dropped, number: int, time: float) -> None:
    """Count requests that are not in the journal, or no longer; `time`: of the newest, by the monotonic clock."""
    cells[block + JOURNAL_DROPPED_AT + reason] = int(time * 1e9)
    cells[block + JOURNAL_DROPPED + reason] += number


def unrecorded(cells: Cells, block: int, entries: int) -> int:
    """Return how many requests are neither among the journal's `entries` nor counted as dropped."""
    first = block + JOURNAL_DROPPED
    return int(cells[block + REQUESTS]) - sum(cells[first : first + len(Dropped)]) - entries


class ListenerCounters:
    """One listener's counters in one slot. Sessions see the part named `SessionMetrics`.

    `cells` is the slot's region of the shared counters, `block` where the listener's block begins in it.
    """

    __slots__ = ("_block", "_cells", "_closed", "_duration", "_open", "_received", "_requests", "_seconds", "_sent")

    def __init__(self, cells: Cells, block: int) -> None:
        self._cells = cells
        self._block = block
        self._open = block + OPEN
        self._received = block + RECEIVED_BYTES
        self._sent = block + SENT_BYTES
        self._requests = block + REQUESTS
        self._closed = block + CLOSED
        self._duration = block + DURATION
        self._seconds = block + DURATION_NANOSECONDS

    def accepted(self) -> None:
        """A connection was accepted, and is open."""
        cells = self._cells
        cells[self._block] += 1
        cells[self._open] += 1

    def closed(self, reason: CloseReason, probe: bool) -> None:
        """An open connection was closed; `probe`: the client left without having sent a byte."""
        cells = self._cells
        cells[self._closed + reason] += 1
        cells[self._open] -= 1
        if probe:
            cells[self._block + PROBES] += 1

    def received(self, size: int) -> None:
        """`size` bytes were read from a socket."""
        self._cells[self._received] += size

    def sent(self, size: int) -> None:
        """The kernel took `size` bytes."""
        self._cells[self._sent] += size

    def requested(self, rule: int, requests: int) -> None:
        """Requests were framed, and a rule matched them."""
        cells = self._cells
        cells[self._requests] += requests
        cells[rule] += requests

    def unmatched(self, requests: int) -> None:
        """Requests were framed, and no rule matched them."""
        cells = self._cells
        cells[self._requests] += requests
        cells[self._block + UNMATCHED] += requests

    def matched(self, rule: int) -> None:
        """A rule matched an event other than a request."""
        self._cells[rule] += 1

    def fault_applied(self, fault: int) -> None:
        """A fault applies to a reply."""
        self._cells[fault] += 1

    def unexpected_frame(self, cell: int) -> None:
        """A received frame is not what a rule's script expects."""
        self._cells[cell] += 1

    def answered(self, seconds: float, requests: int) -> None:
        """Requests were finished `seconds` after their receipt."""
        cells = self._cells
        shortest = seconds <= DURATION_BOUNDS[0]  # as most are
        cells[self._duration + (0 if shortest else bisect_left(DURATION_BOUNDS, seconds))] += requests
        cells[self._seconds] += int(seconds * 1e9) * requests

    def delayed(self, seconds: float) -> None:
        """A step waits for `seconds`."""
        self._cells[self._block + DELAY_NANOSECONDS] += round(seconds * 1e9)

    def truncated(self) -> None:
        """The peer's stream ended in the middle of a request."""
        self._cells[self._block + TRUNCATED] += 1

    def handshake(self, outcome: Handshakes) -> None:
        """A TLS handshake has ended."""
        self._cells[self._block + HANDSHAKES + outcome] += 1

    def failed(self) -> None:
        """A session raised an exception; its connection is closed with reason `error`."""
        self._cells[self._block + SESSION_ERRORS] += 1

    def peer_evicted(self) -> None:
        """A count for another peer was forgotten, to make room for one of this listener."""
        self._cells[self._block + PEERS_EVICTED] += 1

    def rejected(self, limit: str) -> None:
        """A connection was rejected; `limit` is one of REJECTIONS."""
        self._cells[self._block + REJECTED + REJECTION_NAMES.index(limit)] += 1

    def accept_failed(self, errno_name: str) -> None:
        """accept(2) failed with this errno (`EMFILE`)."""
        known = errno_name if errno_name in ACCEPT_ERRORS else "other"
        self._cells[self._block + ACCEPT_FAILED + ACCEPT_ERROR_NAMES.index(known)] += 1

    def relays(self) -> None:
        """The listener has an upstream."""
        self._cells[self._block + RELAYS] = 1

    def upstream_connected(self, seconds: float) -> None:
        """A connection to the upstream was made, within `seconds`."""
        cells, block = self._cells, self._block
        cells[block + UPSTREAM_CONNECTED] += 1
        cells[block + UPSTREAM_DURATION + bisect_left(DURATION_BOUNDS, seconds)] += 1
        cells[block + UPSTREAM_NANOSECONDS] += int(seconds * 1e9)

    def upstream_failed(self, error: str) -> None:
        """No connection to the upstream could be made: the name of an errno, or another one of UPSTREAM_ERRORS."""
        known = error if error in UPSTREAM_ERRORS else "other"
        self._cells[self._block + UPSTREAM_FAILED + UPSTREAM_ERROR_NAMES.index(known)] += 1

    def upstream_handshake(self, outcome: Handshakes) -> None:
        """A TLS handshake with the upstream has ended."""
        self._cells[self._block + UPSTREAM_HANDSHAKES + outcome] += 1

    def upstream_received(self, size: int) -> None:
        """`size` bytes were read from the upstream."""
        self._cells[self._block + UPSTREAM_RECEIVED_BYTES] += size

    def upstream_sent(self, size: int) -> None:
        """The kernel took `size` bytes for the upstream."""
        self._cells[self._block + UPSTREAM_SENT_BYTES] += size

    def header_arrived(self) -> None:
        """An open connection turned out to be a client's."""
        cells = self._cells
        cells[self._block + AWAITING_HEADER] -= 1
        cells[self._block] += 1

    def forgotten(self) -> None:
        """An open connection turned out not to be counted: it is its proxy's own, or over a limit of its client."""
        cells = self._cells
        cells[self._block + AWAITING_HEADER] -= 1
        cells[self._open] -= 1

    def open(self) -> int:
        """The number of open connections."""
        return int(self._cells[self._open])

    def close_crashed(self) -> int:
        """Count the open connections of a dead worker as closed by its crash; return how many there were.

        They are computed as accepted minus closed, independently of the count of open connections.
        """
        cells = self._cells
        first = self._closed
        awaiting = self._block + AWAITING_HEADER
        cells[self._block] += cells[awaiting]  # accepted: whether their peer was a client will not be known
        cells[awaiting] = 0
        orphans = int(cells[self._block]) - sum(cells[first : first + len(CloseReason)])
        cells[first + CloseReason.WORKER_CRASHED] += orphans
        cells[self._open] = 0
        return orphans
