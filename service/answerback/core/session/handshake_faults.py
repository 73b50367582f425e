"""Faults of the handshake: which one applies, how much of the server's flight is sent before, and how it ends."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from answerback.core.actions import Action, CloseReason, Send
from answerback.core.faults import Ending, Fault, Point, Tls
from answerback.core.session.script import ScriptRun
from answerback.core.steps import EndSession

if TYPE_CHECKING:
    from answerback.core.context import RequestContext
    from answerback.core.session.session import Session
    from answerback.core.session.slow_reader import SlowReader

# Rule: a fault is decided once for a handshake, when that comes to its point, and the first that applies ends it.

RECORD_HEAD: Final = 5  # bytes: the type, a version, and the length (RFC 8446, 5.1)
HANDSHAKE, SERVER_HELLO = 22, 2  # the type of a record, and that of a message in it
RANDOM: Final = slice(11, 43)  # of a hello in the first record: behind its head, the message's, and a version
# The random of a ServerHello that only asks for another ClientHello (RFC 8446, 4.1.3).
RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
TIMED_OUT: Final = EndSession(by_reset=False, reason=CloseReason.TLS_HANDSHAKE)


class HandshakeFaults:
    """The faults of one handshake."""

    __slots__ = ("_faults", "_passed")

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = faults
        self._passed = 0  # the last point that the handshake has come to

    def decide(self, flight: bytes, context: "RequestContext", *, complete: bool) -> tuple[bytes, Tls] | None:
        """Return the part of this output to send and the end that follows; None if no fault applies to it."""
        for point, size in self._reached(flight, complete=complete):
            self._passed = point
            for fault in self._faults:
                end = fault.handshake
                if end is not None and end.after is point and fault.decide(context) is not None:
                    return flight[:size] + end.last_words, end
        return None

    def _reached(self, flight: bytes, *, complete: bool) -> Iterator[tuple[Point, int]]:
        """Yield the points that the handshake comes to with this output, each with the size of what is sent before."""
        if self._passed < Point.CLIENT_HELLO and flight:
            yield Point.CLIENT_HELLO, 0
        if self._passed < Point.SERVER_HELLO and (size := _server_hello(flight)):
            yield Point.SERVER_HELLO, size
        if complete:
            yield Point.FINISHED, len(flight)


def _server_hello(flight: bytes) -> int:
    """Return the size of the records up to the server's hello; 0 if it is not there."""
    at = 0
    while len(flight) > at + RECORD_HEAD:
        record = flight[at:]
        at += RECORD_HEAD + int.from_bytes(record[3:RECORD_HEAD])
        if record[0] == HANDSHAKE and record[RECORD_HEAD] == SERVER_HELLO and record[RANDOM] != RETRY:
            return at
    return 0


def end_handshake(session: "Session | SlowReader", end: Ending, out: bytes, until: float) -> Sequence[Action]:
    """Return the output, and how the connection ends. A stalled one waits for the peer to give up, `until` then."""
    sent = (Send(out),) if out else ()
    match end:
        case Ending.RESET:
            return (*sent, *session.reset())
        case Ending.CLOSE:
            return (*sent, *session.close(CloseReason.SERVER_CLOSE))
        case Ending.STALL:
            session.suspend(ScriptRun.hanging_until(until, TIMED_OUT))
            return sent
