"""One relayed connection: what to do on one side when something has happened on the other.

    CONNECTING ── connected ──> RELAYING ── idle, lifetime, drain ──> CLOSING ── both FINs, or enough of that ──> OVER
         └─ no upstream, RST ──────┴── both FINs are passed on, or RST ──────────────────────────────────────────> OVER

CLOSING is an orderly close of both sides: each gets the bytes that are held for it and FIN, and what it still sends is
read and discarded until its own FIN, as a session does (see `session.closing`).
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import ClassVar, Final

from answerback.core.actions import Abort, Close, CloseReason
from answerback.core.context import RequestContext
from answerback.core.plan import ActivePlan
from answerback.core.relay.acts import NOTHING, Act, Finish, Pass
from answerback.core.relay.flow import Flow
from answerback.core.relay.sides import NEITHER, PEER, UPSTREAM, marked
from answerback.core.session.closing import LINGER_BYTES, LINGER_SECONDS

# Rule: nothing here knows the time; callers pass it.
# Rule: a side is read only while the other one takes everything: so what is held of a direction is one read, and with
#       faults what its flow holds.
# Rule: the close reason is set once, by the first cause, except that RST overrides a FIN.

CONNECTING, RELAYING, CLOSING, OVER = range(4)

# A drain cannot know where a request ends, so it waits for this many seconds without a byte in either direction.
QUIET_SECONDS: Final = 1.0

ENDED_BY: Final = (CloseReason.PEER_EOF, CloseReason.UPSTREAM_EOF)


NO_FLOWS: Final[Sequence[Flow | None]] = (None, None)


class Relay:
    """The state of a relayed connection. A driver calls its methods, and carries out what they return, in order."""

    __slots__ = (
        "_active",
        "_blocked",
        "_cut",
        "_draining",
        "_eof",
        "_finished",
        "_flows",
        "_left",
        "_make_context",
        "_reason",
        "active_at",
        "born",
        "deadline",
        "direct",
        "phase",
    )

    active_at: float
    """When a byte last arrived, or was last taken by a slow side."""
    deadline: float
    """When to call `handle_timer`."""
    direct: bool
    """Whether bytes pass as they are read: a driver may pass them on by itself, and set `active_at`."""

    PASSES_ALL: ClassVar = True
    """Whether nothing but faults decides about bytes."""

    def __init__(
        self, active: ActivePlan, now: float, make_context: Callable[[], RequestContext] | None = None
    ) -> None:
        """`make_context` makes what faults are decided by; needed if the plan has any."""
        self._active = active
        self._make_context = make_context
        self._flows = NO_FLOWS  # by the side that is read; None without faults
        self.phase = CONNECTING
        self.born = self.active_at = now
        self.deadline = now + active.plan.limits.lifetime
        self._reason: CloseReason | None = None
        self._draining = False
        self._eof = NEITHER  # the side's FIN was read
        self._cut = NEITHER  # by TLS the side's stream was not complete
        self._finished = NEITHER  # our FIN was sent to the side
        self._blocked = NEITHER  # the kernel has not taken everything for the side
        self._left = LINGER_BYTES
        self.direct = False

    @property
    def over(self) -> bool:
        """Whether Close or Abort has been returned."""
        return self.phase == OVER

    @property
    def flowing(self) -> bool:
        """Whether faults may hold something."""
        return self._flows is not NO_FLOWS and self.phase != OVER

    @property
    def state(self) -> str:
        """How far the end has come, as `ConnectionService` names it."""
        if self.phase >= CLOSING:
            return "CLOSING"
        return "HALF_CLOSED" if self._finished[PEER] else "OPEN"

    @property
    def waits_for(self) -> str:
        """What has to happen next, as `ConnectionService` names it."""
        if self.phase == CONNECTING:
            return "upstream"
        if self._blocked[PEER]:
            return "client_reads"
        if self._blocked[UPSTREAM]:
            return "upstream_reads"
        return "data" if self.phase == RELAYING else "fin"

    def wants_read(self, side: int) -> bool:
        """Whether to read from a side."""
        if self.phase == RELAYING:
            flow = self._flows[side]
            held = flow is not None and flow.full
            return not self._eof[side] and not self._blocked[1 - side] and not held
        return self.phase == CLOSING and not self._eof[side]

    def connected(self, now: float) -> Sequence[Act]:
        """The upstream has accepted the connection."""
        self.phase = RELAYING
        self.active_at = now
        return self.plan_changed(now)

    def plan_changed(self, now: float) -> Sequence[Act]:
        """Another plan is active: changed faults hold for what arrives from now on, and what is held is released."""
        if self.phase != RELAYING:
            return NOTHING
        for side, faults in enumerate(self._active.plan.relay_faults):
            flow = self._flows[side]
            if flow is not None:
                flow.change(faults, now)
            elif faults:
                assert self._make_context is not None
                flows = list(self._flows)
                flows[side] = Flow(faults, self._make_context(), now)
                self._flows = flows
        self.direct = self.PASSES_ALL and self._flows is NO_FLOWS
        self._set_deadline()
        return self.next_acts(now) if self.flowing else NOTHING

    def not_connected(self, error: str, now: float) -> Sequence[Act]:  # noqa: ARG002 - rules want to know them
        """The upstream cannot be reached, for this reason."""
        return self.abort(CloseReason.UPSTREAM_DOWN)

    def receive_data(self, side: int, data: bytes | memoryview, now: float) -> Sequence[Act]:
        """A side has sent bytes."""
        if self.phase == RELAYING:
            self.active_at = now
            flow = self._flows[side]
            if flow is None:
                return (Pass(1 - side, data),)
            flow.feed(data, now)
            return self.next_acts(now)
        self._left -= len(data)
        return self._close() if self._left < 0 and self.phase == CLOSING else NOTHING

    def receive_eof(self, side: int, now: float, *, cut: bool = False) -> Sequence[Act]:
        """A side has ended its stream; `cut`: by FIN alone, although it speaks TLS."""
        self._eof = marked(self._eof, side)
        self._cut = marked(self._cut, side, cut)
        self.active_at = now
        if self._reason is None:
            self._reason = CloseReason.TLS_CUT if cut else ENDED_BY[side]
        flow = self._flows[side]
        if flow is None or self.phase != RELAYING:
            return self._go_on(now)
        flow.feed_eof(now)
        return self.next_acts(now)

    def writing_paused(self, side: int) -> None:
        """The kernel has not taken everything for a side."""
        self._blocked = marked(self._blocked, side)

    def writing_resumed(self, side: int, now: float) -> Sequence[Act]:
        """The kernel has taken everything for a side."""
        self._blocked = marked(self._blocked, side, False)
        self.active_at = now
        return self.next_acts(now) if self.flowing else self._go_on(now)

    def close_peer(self, reason: CloseReason, now: float, *, eof: bool = False) -> Sequence[Act]:
        """Close the client's side in order, before there is another one. `eof`: whether the client has sent FIN."""
        if self.phase != CONNECTING:
            return NOTHING
        self._eof = marked(marked(NEITHER, UPSTREAM), PEER, eof)
        self._finished = marked(self._finished, UPSTREAM)
        self.phase = RELAYING
        return self._begin_closing(reason, now)

    def lost(self, reason: CloseReason) -> Sequence[Act]:
        """A side was reset, or cannot be reached any more."""
        closing = self._reason if self.phase == CLOSING else None
        return self.abort(reason if closing is None else closing)

    def abort(self, reason: CloseReason) -> Sequence[Act]:
        """Reset both sides."""
        if self.phase == OVER:
            return NOTHING
        self.phase, self.direct = OVER, False
        return (Abort(reason),)

    def close_in_order(self, now: float) -> Sequence[Act]:
        """Close in order now, with what is held."""
        return self._begin_closing(CloseReason.DRAIN, now) if self.phase < CLOSING else NOTHING

    def drain(self, now: float) -> Sequence[Act]:
        """Close in order as soon as nothing is on its way."""
        self._draining = True
        return self.handle_timer(now)

    def handle_timer(self, now: float) -> Sequence[Act]:
        """The deadline has come, or is near."""
        if self.phase == CLOSING:
            return self._close() if now >= self.deadline else NOTHING
        if self.phase == OVER:
            return NOTHING
        limits = self._active.plan.limits
        if now >= self.born + limits.lifetime:
            return self._begin_closing(CloseReason.MAX_LIFETIME, now)
        acts = self._keep_time(now, limits.idle_timeout) if self.phase == RELAYING else NOTHING
        if self.phase in (CONNECTING, RELAYING):
            self._set_deadline()
        return acts

    def _keep_time(self, now: float, idle_timeout: float) -> Sequence[Act]:
        """Pass on what is due, or close a connection on which nothing happens."""
        acts = self.next_acts(now) if self.flowing else NOTHING
        if acts or self.phase != RELAYING:
            return acts
        if any(self._blocked) or self._holds(PEER) or self._holds(UPSTREAM):
            self.active_at = now  # `write_timeout` applies, or a fault
        elif self._draining and now >= self.active_at + QUIET_SECONDS:
            return self._begin_closing(CloseReason.DRAIN, now)
        elif now >= self.active_at + idle_timeout:
            return self._begin_closing(CloseReason.IDLE_TIMEOUT, now)
        return NOTHING

    def _set_deadline(self) -> None:
        limits = self._active.plan.limits
        quiet = QUIET_SECONDS if self._draining else limits.idle_timeout
        idle = self.active_at + min(quiet, limits.idle_timeout) if self.phase == RELAYING else inf
        self.deadline = min(idle, self.born + limits.lifetime, *map(self._due_at, (PEER, UPSTREAM)))

    def _holds(self, side: int) -> bool:
        """Whether something is held that was read from a side."""
        flow = self._flows[side]
        return flow is not None and not flow.empty

    def _due_at(self, side: int) -> float:
        """When something that was read from a side is to be passed on, or ends the connection."""
        flow = self._flows[side]
        if flow is None or self.phase != RELAYING:
            return inf
        return min(inf if self._blocked[1 - side] else flow.due_at, flow.ends_at, flow.closes_at)

    def next_acts(self, now: float) -> Sequence[Act]:
        """What follows once everything returned so far is done. Call it while `flowing`."""
        if self.phase == RELAYING:
            if any(flow is not None and now >= flow.ends_at for flow in self._flows):
                return self.abort(CloseReason.SERVER_RESET)
            acts = self._release(now)
            if not acts:
                acts = self._end_due(now)
            if acts:
                return acts
        acts = self._go_on(now) if self.phase in (RELAYING, CLOSING) else NOTHING
        if self.phase == RELAYING:
            self._set_deadline()
        return acts

    def _release(self, now: float) -> Sequence[Act]:
        """Pass on what is due, up to an end."""
        acts: list[Act] = []
        for side, flow in enumerate(self._flows):
            if flow is not None and not self._blocked[1 - side]:
                acts += (Pass(1 - side, piece) for piece in flow.take(now))
        return acts

    def _end_due(self, now: float) -> Sequence[Act]:
        """End the connection where a fault says so, once everything before that is in the kernel."""
        if any(flow is not None and now >= flow.closes_at for flow in self._flows):
            return self._begin_closing(CloseReason.SERVER_CLOSE, now)
        for side, flow in enumerate(self._flows):
            end = None if flow is None or self._blocked[1 - side] else flow.end(now)
            if end is not None:
                if end.by_reset:
                    return self.abort(CloseReason.SERVER_RESET)
                self._cut = marked(self._cut, side)
                return self._begin_closing(CloseReason.SERVER_CLOSE, now)
        return NOTHING

    def _go_on(self, now: float) -> Sequence[Act]:
        """Send the FINs that are due, and close once both sides have both."""
        acts: list[Act] = []
        for side in (PEER, UPSTREAM):
            due = (self._eof[1 - side] and not self._holds(1 - side)) or self.phase == CLOSING
            if due and not self._finished[side] and not self._blocked[side]:
                self._finished = marked(self._finished, side)
                acts.append(Finish(side, self._cut[1 - side]))
        if all(self._finished):
            if all(self._eof) and not any(self._blocked):
                acts += self._close()
            elif self.phase == CLOSING and self.deadline == inf:
                self.deadline = now + LINGER_SECONDS
        return acts

    def _begin_closing(self, reason: CloseReason, now: float) -> Sequence[Act]:
        if self.phase == CONNECTING:  # nothing was passed on yet
            return self.abort(reason)
        self.phase, self.direct = CLOSING, False
        self._reason = reason
        self.deadline = inf
        for flow in self._flows:
            if flow is not None:
                flow.release_all()
        return self._release(now) or self._go_on(now)

    def _close(self) -> Sequence[Act]:
        self.phase, self.direct = OVER, False
        assert self._reason is not None
        return (Close(self._reason),)
