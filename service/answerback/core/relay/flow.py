"""One direction of a relay with faults: what was read, and when it is passed on.

A chunk, which is one read of at most CHUNK bytes, goes through the faults in the order written. What comes out are
pieces, each with the time at which it is due; the queue keeps their order. So latency is pipelined: it delays every
chunk and does not limit the rate.

    latency     a piece is due later
    bandwidth   a piece is due when a line of that rate has carried it, and those before it
    slice       a chunk becomes several pieces, with a gap behind each
    truncate    an end behind the first bytes of the connection
    reset       an end at a time, whatever is held then
    hang        a piece is held until the fault is changed
    slow_close  FIN is due later
    blackhole   a piece is gone, and an orderly end is at a time
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Final

from answerback.core.bounded_counter import CountedFor
from answerback.core.context import RequestContext
from answerback.core.faults import (
    Bandwidth,
    Blackhole,
    ConnectionFaultState,
    Fault,
    FaultState,
    Hang,
    Latency,
    Reset,
    Slice,
    SlowClose,
    Truncate,
)
from answerback.core.faults.bandwidth import PIECE_SECONDS
from answerback.core.relay.pieces import FIN, End, Fin, Piece, concerns, sliced, truncated

# Rule: pieces leave in the order in which they were read; FIN is the last of them.
# Rule: a fault with the name of a former one of its kind is that fault, changed: it keeps its count of bytes.

CHUNK: Final = 64 << 10  # bytes
MAX_HELD: Final = 4 << 20  # bytes in one direction; then its side is not read any more


class Flow:
    """The pieces of one direction that are held."""

    __slots__ = (
        "_closes",
        "_context",
        "_ended",
        "_faults",
        "_last",
        "_lines",
        "_pieces",
        "closes_at",
        "ends_at",
        "held",
    )

    def __init__(self, faults: Sequence[Fault], context: RequestContext, now: float) -> None:
        self._faults: Sequence[Fault] = ()
        self._context = context
        self._pieces: deque[Piece] = deque()
        self._lines: dict[Fault, float] = {}  # until when the line of a bandwidth is busy; since when a hang applies
        self._closes: dict[str, float] = {}  # when the blackholes that apply, by name, close the connection
        self._last = 0.0  # when the newest piece is due
        self._ended = False  # whether an end is in the queue
        self.held = 0
        """The bytes that are held."""
        self.ends_at = inf
        """When the connection is reset, whatever is held."""
        self.closes_at = inf
        """When the connection is closed in order."""
        self.change(faults, now)

    @property
    def full(self) -> bool:
        """Whether nothing more may be read."""
        return self.held >= MAX_HELD

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        return not self._pieces

    @property
    def due_at(self) -> float:
        """When the next piece is due."""
        return self._pieces[0][0] if self._pieces else inf

    def feed(self, data: bytes | memoryview, now: float) -> None:
        """Bytes have arrived."""
        for at in range(0, len(data), CHUNK):
            if self._ended:
                return
            self._hold(bytes(data[at : at + CHUNK]), now)

    def feed_eof(self, now: float) -> None:
        """FIN has arrived. It is passed on once nothing is held."""
        if not self._ended:
            self._hold(FIN, now)

    def take(self, now: float) -> Iterator[bytes]:
        """Yield the pieces that are due, up to an end."""
        pieces = self._pieces
        while pieces and pieces[0][0] <= now and not isinstance(piece := pieces[0][1], End):
            pieces.popleft()
            if not isinstance(piece, Fin):
                self.held -= len(piece)
                yield piece

    def end(self, now: float) -> End | None:
        """Return the end if it is next, and due."""
        if self._pieces and self._pieces[0][0] <= now and isinstance(end := self._pieces[0][1], End):
            return end
        return None

    def change(self, faults: Sequence[Fault], now: float) -> None:
        """Other faults hold for what arrives from now on.

        If a former one is changed or gone, what is held is due at once, and an end is cancelled. If a blackhole is gone
        that applied, the connection is closed: bytes are missing.
        """
        if faults == self._faults:
            return
        former, self._faults = self._faults, faults
        gone = [fault for fault in former if fault not in faults]
        if gone:
            self._release()
        named = {fault.name: fault for fault in faults}
        gaps = [fault for fault in gone if self._leaves_gap(fault, named.get(fault.name))]
        for fault in faults:
            if fault not in former:
                self._begin(fault, now)
        self.closes_at = now if gaps else min(self._closes.values(), default=inf)

    def release_all(self) -> None:
        """Everything that is held is due at once, and an end is cancelled: the connection is closed in order."""
        self._faults = ()
        self._release()

    def _release(self) -> None:
        hangs = {fault: since for fault, since in self._lines.items() if self._still_hangs(fault)}
        held = [(due, piece) for due, piece in self._pieces if not isinstance(piece, End)]
        self._pieces = deque((inf if hangs and due == inf else 0.0, piece) for due, piece in held)
        self._last = self._pieces[-1][0] if self._pieces else 0.0
        self.ends_at, self._ended = inf, False
        self._lines = hangs

    def _still_hangs(self, fault: Fault) -> bool:
        return isinstance(fault.effect, Hang) and fault in self._faults

    def _leaves_gap(self, gone: Fault, named: Fault | None) -> bool:
        """Hand the state of a fault to the one with its name and kind; return whether bytes are missing for good."""
        state = self._context.fault_states.pop(gone, None)
        same = named if named is not None and type(named.effect) is type(gone.effect) else None
        if same is not None and state is not None:
            kept = self._context.fault_states[same] = ConnectionFaultState(self._context)
            kept.state.sent = state.state.sent
        if self._closes.pop(gone.name, None) is None:
            return False
        if same is not None:
            self._closes[gone.name] = inf
        return same is None

    def _begin(self, fault: Fault, now: float) -> None:
        """A fault is added. The time of a blackhole for the connection begins although no bytes have arrived."""
        if not isinstance(fault.effect, Blackhole) or not fault.per_connection:
            return
        counts_reads = fault.counted and fault.scope is CountedFor.CONNECTION
        if not counts_reads and fault.decide(self._context) is not None:
            self._closes[fault.name] = now + (fault.effect.close_after or inf)

    def _hold(self, read: bytes | Fin, now: float) -> None:
        pieces: Iterable[Piece] = ((now, read),)
        for fault in self._faults:
            if concerns(fault, read) and (state := fault.decide(self._context)) is not None:
                pieces = self._through(fault, pieces, state, now)
        for due, piece in pieces:
            self._last = max(self._last, due)
            self._pieces.append((self._last, piece))
            if isinstance(piece, End):
                self._ended = True
                break
            if not isinstance(piece, Fin):
                self.held += len(piece)

    def _through(self, fault: Fault, pieces: Iterable[Piece], state: FaultState, now: float) -> Iterable[Piece]:
        match fault.effect:
            case Latency(delay) | SlowClose(delay):
                seconds = delay.draw(state.chance)
                return [(due + seconds, piece) for due, piece in pieces]
            case Bandwidth(rate):
                return list(self._carried(fault, pieces, rate))
            case Slice(size, variation, gap):
                free = self._lines.get(fault, 0.0)
                pieces, self._lines[fault] = sliced(pieces, size, variation, gap, state.chance, free)
            case Truncate(size, by_reset):
                return list(truncated(pieces, size, state, End(by_reset)))
            case Hang(after):
                until = self._lines.setdefault(fault, now) + after
                return [(due if due < until else inf, piece) for due, piece in pieces]
            case Reset(after, discard):
                self.ends_at = min(self.ends_at, now + after)
                pieces = [(inf, piece) for _, piece in pieces if isinstance(piece, Fin)] if discard else pieces
            case Blackhole(close_after):
                self._closes[fault.name] = now + (close_after or inf)
                self.closes_at = min(self._closes.values())
                pieces = ()
            case _:
                raise AssertionError(f"{fault.effect} is not for relays")
        return pieces

    def _carried(self, fault: Fault, pieces: Iterable[Piece], rate: int) -> Iterator[Piece]:
        """Pieces that a line of this rate has carried."""
        most = max(1, int(rate * PIECE_SECONDS))
        free = self._lines.get(fault, 0.0)
        for due, piece in pieces:
            if not isinstance(piece, bytes):
                yield max(free, due), piece
                continue
            for at in range(0, len(piece), most):
                part = piece[at : at + most]
                free = max(free, due) + len(part) / rate
                yield free, part
        self._lines[fault] = free
