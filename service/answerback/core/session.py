"""The conversation on one connection.

A driver reports events to the session, with the time (seconds of any steady clock), and performs the returned actions
in order:

    connected            the connection was accepted; comes first
    dismiss              instead of `connected`: close in order at once
    receive, eof         input from the peer; nothing comes after `eof`
    fin                  the peer has sent FIN, but bytes before it have not been read; `eof` follows when they have
    blocked, flushed     the kernel took only part of the output; it has taken all of it
    progressed           the peer has read enough output for its timeout to start again
    take_turn            it is this connection's turn again, after it used up one: see `wants_turn`
    wake                 `deadline` has passed
    drain                finish what is in progress, then close in order
    lost                 the connection is gone; no more actions follow

After performing actions with nothing left unsent, the driver calls `flushed` if `awaits_flush`; it reads only while
`wants_read`; and it calls `wake` at `deadline`, which is never later than the first thing due (it may be earlier: then
`wake` only moves it). A session that has used up its time (`playing.TURN_SECONDS`) stops, and keeps the rest of its
work; the driver lets other connections have their turns, then calls `take_turn`.
"""

from collections.abc import Callable, Iterator, Sequence
from math import inf

from answerback.core.actions import Action, CloseReason
from answerback.core.answering import READ_AHEAD, Answering
from answerback.core.ending import CLOSING, HALF_CLOSED, NOTHING, OPEN
from answerback.core.plan import PlanInForce
from answerback.core.playing import TURN_SECONDS, Hanging, Surroundings
from answerback.core.session_metrics import SessionMetrics

# Rule: nothing here knows the time; callers pass it.
# Rule: code that runs for every request is inline here; rare cases have methods of their own.


class Session(Answering):
    """One connection's conversation, independent of the network."""

    __slots__ = ("_blocked_since", "born")

    def __init__(
        self, in_force: PlanInForce, ledger: SessionMetrics, now: float, surroundings: Surroundings | None = None
    ) -> None:
        super().__init__(in_force, ledger, now, surroundings)
        self.born = now
        self._blocked_since = inf
        limits = self._plan.limits
        self.deadline = now + min(limits.idle_timeout, limits.lifetime)

    @property
    def active_at(self) -> float:
        """When bytes last came from the peer, or a reply ended."""
        return self._heard_at

    @property
    def greets(self) -> bool:
        """Whether `connected` has anything to do."""
        return self._plan.on_connect.any

    def connected(self, now: float) -> Sequence[Action]:
        """The connection has been accepted."""
        actions: list[Action] = []
        if self.greets:
            self._begin(self._plan.on_connect, actions, now)
        return actions

    def dismiss(self, reason: CloseReason) -> Sequence[Action]:
        """Instead of `connected`: close in order without sending anything."""
        return self._end_in_order(reason)

    def receive(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes, at least one."""
        self._heard_at = now
        if self._phase != OPEN:
            return NOTHING if self._phase == HALF_CLOSED else self._discard(len(data))
        buffer = self._buffer
        if not buffer:
            recalled = self._selector.recalled.get(data)
            if (
                recalled is not None  # cached: see `Selector.recalled`
                and self._script is None
                and self._framing is (plan := self._plan).framing
                and self._in_force.plan is plan
                and self._blocked_since == inf
            ):
                self._started = now
                self._answered = requests = recalled.requests
                self.number += requests
                self.awaits_flush = True
                place = recalled.place
                if place >= 0:
                    self._ledger.requested(place, requests)
                else:
                    self._ledger.unmatched(requests)
                return recalled.actions
            self._buffer = data
            self._searched = 0
        else:
            if type(buffer) is bytearray:
                buffer += data
            else:
                self._buffer = bytearray(buffer) + data
            if self._turn_began is None:
                return NOTHING
        if (self._script is not None and self._taking is None) or self._blocked_since != inf:
            self.wants_read = len(self._buffer) < READ_AHEAD
            return NOTHING
        self._turn_began = now
        return self._converse(now)

    def eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half."""
        self._eof = self.fin_noted = True
        self.wants_read = False
        if self._phase >= CLOSING:
            return self._finish()
        if self._busy:
            return self._end_in_order(CloseReason.PEER_GAVE_UP) if self._fin_ends_hang else NOTHING
        if self._buffer or self._taking is not None or self._in_force.plan is not self._plan:
            self._turn_began = now
            return self._converse(now)
        return self._leave(now)  # the common case: nothing is unsent or incomplete

    def fin(self, _now: float) -> Sequence[Action]:
        """The peer has closed its half; bytes it sent before are still to be read."""
        self.fin_noted = True
        return self._end_in_order(CloseReason.PEER_GAVE_UP) if self._fin_ends_hang else NOTHING

    def lost(self, reason: CloseReason) -> CloseReason:
        """See `Ending.lost`. A peer that resets the connection while it has to wait counts as having given up."""
        if reason == CloseReason.PEER_RESET and type(self._script) is Hanging:
            reason = CloseReason.PEER_GAVE_UP
        return super().lost(reason)

    def blocked(self, now: float) -> None:
        """The kernel took only part of the output; `flushed` follows once it has taken the rest."""
        self.awaits_flush = True
        if self._blocked_since == inf:
            self._blocked_since = now
            self.deadline = min(self.deadline, now + self._plan.limits.write_timeout)

    def progressed(self, now: float) -> None:
        """The peer is reading: `write_timeout` starts again."""
        if self._blocked_since != inf:
            self._blocked_since = now

    def flushed(self, now: float) -> Sequence[Action]:
        """The kernel has taken all that was to be sent."""
        self.awaits_flush = False
        if self._blocked_since != inf:
            self._blocked_since = inf
            # While a reply is in progress, the peer's silence has no deadline.
            self.deadline = min(self.deadline, now + self._plan.limits.idle_timeout)
        if self._answered:
            self._ledger.answered(now - self._started, self._answered)
            self._answered = 0
            self._heard_at = now
        if self._phase <= HALF_CLOSED:
            if self._buffer or self._eof or self._draining or self._framing is None or self._taking is not None:
                if self._busy:
                    return NOTHING
                began = self._turn_began
                if began is not None and now - began >= TURN_SECONDS and (self._buffer or self._framing is None):
                    self._give_way()
                    return NOTHING
                return self._converse(now)
        elif self._phase == CLOSING:
            self._linger(now)
            self.deadline = min(self.deadline, self._linger_until)
        return NOTHING

    def take_turn(self, now: float) -> Sequence[Action]:
        """Continue the work that was left when the last turn was used up."""
        if self._turn_began is not None or self._blocked_since != inf:
            return NOTHING
        self._turn_began = now
        self.wants_read = not self._eof and len(self._buffer) < READ_AHEAD
        if self._script is not None and self._taking is None:
            return self._resume(now)
        return self._converse(now)

    def drain(self, now: float) -> Sequence[Action]:
        """Finish the request in progress, an incomplete one too, then close in order."""
        self._draining = True
        if type(self._script) is Hanging:
            return self._end_in_order(CloseReason.DRAIN)
        if self._phase > HALF_CLOSED or self._busy:
            return NOTHING
        self._turn_began = now
        return self._converse(now)

    def wake(self, now: float) -> Sequence[Action]:
        """The deadline has passed."""
        actions = NOTHING
        if self._turn_began is not None:
            self._turn_began = now
        for due, act in self._timers(now):
            if now >= due:
                actions = act()
                break
        self.deadline = min(due for due, _ in self._timers(now))
        return actions

    def _timers(self, now: float) -> Iterator[tuple[float, Callable[[], Sequence[Action]]]]:
        """Yield what is due when, if nothing happens until then; the earliest is carried out."""
        limits = self._plan.limits
        yield self._blocked_since + limits.write_timeout, self._give_up
        yield self._linger_until, self._finish
        if self._phase > HALF_CLOSED:
            return
        yield self.born + limits.lifetime, lambda: self._end_in_order(CloseReason.MAX_LIFETIME)
        yield self._resume_at, lambda: self._resume(now)
        if self._turn_began is None:  # the peer's silence is timed from the end of this work
            yield now + limits.idle_timeout, lambda: NOTHING
        if self._busy:
            return
        yield self._partial_since + limits.request_timeout, lambda: self._end_in_order(CloseReason.REQUEST_TIMEOUT)
        framing = self._framing if self._taking is None else self._taking.framing
        if framing is not None and framing.idle_gap != inf and self._buffer:
            yield self._heard_at + framing.idle_gap, lambda: self._converse(now, ended=True)
        yield self._heard_at + limits.idle_timeout, lambda: self._idle(now)

    @property
    def _busy(self) -> bool:
        """Whether a reply is in progress: it waits for its next step, the kernel or a turn, not for the peer."""
        script_waits = self._script is not None and self._taking is None
        return script_waits or self._blocked_since != inf or self._turn_began is None

    @property
    def _fin_ends_hang(self) -> bool:
        script = self._script
        return type(script) is Hanging and not script.ignore_fin

    def _idle(self, now: float) -> Sequence[Action]:
        """The idle timeout has passed: apply the rules on IDLE, or close."""
        actions: list[Action] = []
        self._heard_at = now
        idle = CloseReason.IDLE_TIMEOUT
        if self._taking is not None or not self._begin(self._plan.on_idle, actions, now, idle):
            actions += self._close(CloseReason.IDLE_TIMEOUT, now)
        return actions
