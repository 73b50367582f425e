"""The conversation on one connection.

Whatever drives a session tells it what happened, with the time (seconds of any steady clock), and performs the actions
that come back, in order:

    connected            once, before anything else
    receive, eof         what the peer sent; nothing comes after `eof`
    blocked, flushed     the kernel took only part of what was to be sent; it has taken all of it
    wake                 `deadline` has passed
    drain                finish what is in progress, then close in order
    lost                 the connection is gone; the session says nothing more

After performing actions with nothing left unsent, the driver calls `flushed` if `awaits_flush`; it reads only while
`wants_read`; and it calls `wake` at `deadline`, which is never later than the first thing due (it may be earlier: then
`wake` does nothing but move it).
"""

from collections.abc import Callable, Iterator, Sequence
from math import inf

from answerback.core.actions import Action, CloseReason
from answerback.core.ending import CLOSING, HALF_CLOSED, NOTHING, OPEN
from answerback.core.faults import farewell
from answerback.core.framing import MOST, Buffer, Framing, Malformed
from answerback.core.ledger import Ledger
from answerback.core.plan import ListenerPlan, PlanInForce, Rule
from answerback.core.playing import Playing, Surroundings

# Rule: nothing here knows the time; callers pass it.
# Rule: one request at a time. Later bytes wait in the buffer and are framed when their turn comes.
# Rule: what is done for every request is done here in line; what is rare has a method of its own.

READ_AHEAD = 64 << 10  # bytes heard while a reply is in progress; more wait in the kernel
# Bytes of replies before the kernel must have taken them: a client that never reads costs no more.
OUTPUT_AHEAD = 64 << 10

NO_BYTES = ((b"",), 0)
# Requests in a row that take no byte (`frame` with a size of 0): a rule that asks for one more each time has no end.
EMPTY_IN_A_ROW = 64


class Session(Playing):
    """One connection's conversation, without its network."""

    __slots__ = (
        "_answered",
        "_blocked_since",
        "_buffer",
        "_draining",
        "_empty",
        "_farewell",
        "_heard_at",
        "_partial_since",
        "_searched",
        "_started",
        "born",
    )

    def __init__(
        self, in_force: PlanInForce, ledger: Ledger, now: float, surroundings: Surroundings | None = None
    ) -> None:
        super().__init__(in_force, ledger, surroundings)
        self._buffer: Buffer = b""
        self._searched = 0  # of the buffer, by the framing
        self._started = now  # when the request in progress, and those in `_answered`, were received
        self._answered = 0  # requests finished, their replies not yet known to be in the kernel
        self.born = self._heard_at = now  # heard: or the end of the last reply
        self._partial_since = inf
        self._blocked_since = inf
        self._draining = False
        self._empty = 0  # requests since one took a byte
        self._farewell = False  # whether the rules on EOF or DRAIN have had their say
        limits = self._plan.limits
        self.deadline = now + min(limits.idle_timeout, limits.lifetime)

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

    def receive(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes, at least one."""
        self._heard_at = now
        if self._phase != OPEN:
            return NOTHING if self._phase == HALF_CLOSED else self._discard(len(data))
        buffer = self._buffer
        if not buffer:
            recalled = self._selector.recalled.get(data)
            if (
                recalled is not None
                and self._script is None
                and self._framing is (plan := self._plan).framing
                and self._in_force.plan is plan
                and self._blocked_since == inf
            ):
                self._started = now
                self._answered = requests = recalled.requests
                self.number += requests
                self.awaits_flush = True
                self._ledger.requested(recalled.place, requests)
                return recalled.actions
            self._buffer = data
            self._searched = 0
        elif type(buffer) is bytearray:
            buffer += data
        else:
            self._buffer = bytearray(buffer) + data
        if (self._script is not None and self._taking is None) or self._blocked_since != inf:
            self.wants_read = len(self._buffer) < READ_AHEAD
            return NOTHING
        return self._converse(now)

    def eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half."""
        self._eof = True
        self.wants_read = False
        if self._phase >= CLOSING:
            return self._finish()
        return NOTHING if self._busy else self._converse(now)

    def blocked(self, now: float) -> None:
        """The kernel has taken only part of what was to be sent; `flushed` follows once it has taken all."""
        self.awaits_flush = True
        if self._blocked_since == inf:
            self._blocked_since = now
            self.deadline = min(self.deadline, now + self._plan.limits.write_timeout)

    def flushed(self, now: float) -> Sequence[Action]:
        """The kernel has taken all that was to be sent."""
        self.awaits_flush = False
        self._blocked_since = inf
        if self._answered:
            self._ledger.answered(now - self._started, self._answered)
            self._answered = 0
            self._heard_at = now
        if self._phase <= HALF_CLOSED:
            if self._buffer or self._eof or self._draining or self._framing is None or self._taking is not None:
                return NOTHING if self._busy else self._converse(now)
        elif self._phase == CLOSING:
            self._linger(now)
            self.deadline = min(self.deadline, self._linger_until)
        return NOTHING

    def drain(self, now: float) -> Sequence[Action]:
        """Finish what is in progress, a half-heard request too, then close in order."""
        self._draining = True
        return NOTHING if self._phase > HALF_CLOSED or self._busy else self._converse(now)

    def wake(self, now: float) -> Sequence[Action]:
        """The deadline has passed."""
        actions = NOTHING
        for due, act in self._timers(now):
            if now >= due:
                actions = act()
                break
        self.deadline = min(due for due, _ in self._timers(now))
        return actions

    def _timers(self, now: float) -> Iterator[tuple[float, Callable[[], Sequence[Action]]]]:
        """What is due when, if nothing happens until then; the first that is due is done."""
        limits = self._plan.limits
        yield self._blocked_since + limits.write_timeout, self._give_up
        yield self._linger_until, self._finish
        if self._phase > HALF_CLOSED:
            return
        yield self.born + limits.lifetime, lambda: self._end_in_order(CloseReason.LIFETIME)
        yield self._resume_at, lambda: self._resume(now)
        if self._busy:
            return
        yield self._partial_since + limits.request_timeout, lambda: self._end_in_order(CloseReason.REQUEST_TIMEOUT)
        framing = self._framing if self._taking is None else self._taking.framing
        if framing is not None and framing.gap != inf and self._buffer:
            yield self._heard_at + framing.gap, lambda: self._converse(now, ended=True)
        yield self._heard_at + limits.idle_timeout, lambda: self._idle(now)

    @property
    def _busy(self) -> bool:
        """Whether a reply is in progress: waiting for its next step, or for the kernel; not for the peer."""
        return (self._script is not None and self._taking is None) or self._blocked_since != inf

    def _idle(self, now: float) -> Sequence[Action]:
        """Nothing was heard for so long: the rules on IDLE, or the end."""
        actions: list[Action] = []
        self._heard_at = now
        if self._taking is not None or not self._begin(self._plan.on_idle, actions, now):
            actions += self._close(CloseReason.IDLE_TIMEOUT, now)
        return actions

    def _resume(self, now: float) -> Sequence[Action]:
        """Go on with the script in progress."""
        actions: list[Action] = []
        self._play(self._taken_up(), actions, now)
        if self._script is None:
            self._answered += self._on_request
        if self._script is None or self._taking is not None:
            self._heard_at = now
            self.awaits_flush = True  # what follows is taken, and timed, from there
        return actions

    def _converse(self, now: float, *, ended: bool = False) -> Sequence[Action]:
        """Answer the requests in the buffer; `ended`: what is there is a request as it stands."""
        plan = self._plan
        if self._in_force.plan is not plan:
            self._take_new_plan()
        if self._phase == HALF_CLOSED:
            return self._unanswered(now)
        try:
            if self._taking is not None:
                return self._take(now, ended=ended)
            actions, at, more = self._answer(now, ended)
        except Malformed:
            return self._end_in_order(CloseReason.MALFORMED_REQUEST)
        if self._phase == OPEN:
            self._keep(at)
            if self._buffer or more or self._eof or self._draining or self._taking is not None:
                actions += self._rest(more, at, now)
            else:
                self.wants_read = True
                self._partial_since = inf
        elif self._phase == HALF_CLOSED:
            actions += self._unanswered(now)
        return actions

    def _unanswered(self, now: float) -> Sequence[Action]:
        """Our half is closed: what the peer has said, or still says, is neither a request nor taken."""
        self._buffer = b""
        self._partial_since = inf
        if self._taking is not None:
            return self._take(now)
        return self._leave(now) if self._script is None and (self._eof or self._draining) else NOTHING

    def _answer(  # noqa: C901, PLR0912, PLR0915 - every request's path, in one piece on purpose
        self, now: float, ended: bool
    ) -> tuple[list[Action], int, bool]:
        """Frame and answer requests: the actions, where the next one begins, and whether it may be whole too."""
        for_one = self._framing_before is not None
        requests, end = self._cut(ended)
        buffer, framing, selector = self._buffer, self._framing, self._selector
        look_up, limit = selector.look_up, self._plan.limits.max_request_bytes
        faulted = self._faulted if self._plan.faults else None
        actions: list[Action] = []
        size = answered = in_a_row = 0
        matched: Rule | None = None  # by so many in a row
        stop = False
        try:
            for request in requests:
                if end > limit and len(request) > limit:
                    actions += self._end_in_order(CloseReason.REQUEST_TOO_LARGE)
                    break
                answered += 1
                self.number += 1
                if look_up is not None:
                    rule = look_up(request)
                else:
                    self.request, self.captures = request, None
                    rule = selector.search(request, self)
                if rule is not matched:
                    if in_a_row:
                        self._count(matched, in_a_row)
                        in_a_row = 0
                    matched = rule
                in_a_row += 1
                if rule is None:
                    continue
                reply = rule.reply
                if reply is not None:
                    actions.append(reply)
                    size += len(reply.data)
                else:
                    self.request = request
                    script = self._chosen if rule.counted else rule.steps
                    size += self._play(iter(script) if faulted is None else faulted(script), actions, now)
                    selector = self._selector
                    look_up = selector.look_up
                    stop = self._script is not None or self._phase != OPEN or self._framing is not framing
                if stop or size >= OUTPUT_AHEAD:
                    break
        finally:
            if in_a_row:
                self._count(matched, in_a_row)
        if answered < len(requests) and framing is not None:  # then it is the one that cut them
            end = framing.taken(buffer, answered)
        elif in_a_row == answered < MOST and matched is not None and end == len(buffer) and size < OUTPUT_AHEAD:
            self._remember(buffer, answered, matched, ended)
        if answered:
            self._started = now
            self.awaits_flush = True
            self._answered = answered
            if self._script is not None:
                self._on_request = True
                self._answered -= 1
        return actions, end, stop or (for_one and answered > 0) or answered == MOST or size >= OUTPUT_AHEAD

    def _remember(self, heard: Buffer, requests: int, rule: Rule, ended: bool) -> None:
        """Have what was heard answered without this much ado when it is heard again, if the bytes alone decide."""
        selector = self._selector
        if type(heard) is bytes and not ended and selector.look_up is not None and self._framing is self._plan.framing:
            selector.recall(heard, requests, rule)

    def _cut(self, ended: bool) -> tuple[Sequence[bytes], int]:
        """The requests at the beginning of the buffer, and where the next one begins."""
        buffer, framing = self._buffer, self._framing
        if ended:
            return (bytes(buffer),), len(buffer)
        if framing is None and self._empty >= EMPTY_IN_A_ROW:
            raise Malformed(f"{EMPTY_IN_A_ROW} requests in a row without a byte")
        requests, end = NO_BYTES if framing is None else framing.cut(buffer, self._searched)
        if self._framing_before is None or not requests:
            return requests, end
        self._framing, self._framing_before = self._framing_before, None  # the other was for one request
        if framing is not None and len(requests) > 1:
            end = framing.taken(buffer, 1)
        return requests[:1], end

    def _take(self, now: float, *, ended: bool = False) -> Sequence[Action]:
        """Read the frame that the script waits for; `ended`: what is there is one as it stands."""
        taking = self._taking
        assert taking is not None
        frames, end = taking.framing.cut(self._buffer, self._searched)
        if not frames and (ended or (self._eof and taking.framing.rest and self._buffer)):
            frames, end = (bytes(self._buffer),), len(self._buffer)
        if not frames:
            return self._rest(False, 0, now)
        if len(frames[0]) > self._plan.limits.max_request_bytes:
            return self._end_in_order(CloseReason.REQUEST_TOO_LARGE)
        self._keep(end if len(frames) == 1 else taking.framing.taken(self._buffer, 1))
        self._searched, self._partial_since = 0, inf
        self.variables[taking.variable] = frames[0]
        self._taking = None
        return self._resume(now)

    def _count(self, rule: Rule | None, requests: int) -> None:
        if rule is None:
            self._ledger.unmatched(requests)
        else:
            self._ledger.requested(rule.place, requests)

    def _keep(self, at: int) -> None:
        """Keep what is behind the requests that were taken."""
        buffer = self._buffer
        if at == len(buffer):
            self._buffer = b""
        elif type(buffer) is bytearray:
            del buffer[:at]
        else:
            self._buffer = bytes(buffer[at:])

    def _rest(self, more: bool, taken: int, now: float) -> Sequence[Action]:
        """What follows once requests have been taken, and it is not simply waiting for the next."""
        left = len(self._buffer)
        self._searched = 0
        self.wants_read = not self._eof
        if more:
            self._partial_since = inf
            self._empty = 0 if taken else self._empty + 1
            if self._script is not None and self._taking is None:
                self.wants_read = not self._eof and left < READ_AHEAD
            return NOTHING  # `flushed` goes on, or the script
        framing = self._framing if self._taking is None else self._taking.framing
        assert framing is not None
        hopeless = self._hopeless(framing) if left and not (self._eof and framing.rest) else None
        if hopeless is not None:
            return self._end_in_order(hopeless)
        if self._eof:
            if left and framing.rest and self._taking is None:
                return self._converse(now, ended=True)
            if left:
                self._ledger.truncated()
                self._buffer = b""
            return self._leave(now)
        if not left and self._taking is None:
            self._partial_since = inf
            return self._leave(now)
        self._searched = left
        if taken or self._partial_since == inf:
            self._partial_since = now
            self.deadline = min(self.deadline, now + self._plan.limits.request_timeout)
        if framing.gap != inf:
            self.deadline = min(self.deadline, now + framing.gap)
        return NOTHING

    def _hopeless(self, framing: Framing) -> CloseReason | None:
        """Why what is in the buffer will never be a request; None if it may."""
        try:
            least = framing.least(self._buffer)
        except Malformed:
            return CloseReason.MALFORMED_REQUEST
        return CloseReason.REQUEST_TOO_LARGE if least > self._plan.limits.max_request_bytes else None

    def _leave(self, now: float) -> Sequence[Action]:
        """The peer has sent FIN, or a drain has come, and nothing is owed: a rule on that has its say, then the end."""
        actions: list[Action] = []
        self._script = self._taking = None  # what was still to be taken will not come
        if not self._farewell:
            self._farewell = True
            if self._begin(self._plan.on_eof if self._eof else self._plan.on_drain, actions, now):
                return actions  # `flushed` comes back here
        return self._close(CloseReason.PEER_EOF if self._eof else CloseReason.DRAIN, now)

    def _close(self, reason: CloseReason, now: float) -> Sequence[Action]:
        """Close in order, nothing being owed; a fault may have it take its time."""
        if not self._plan.faults:
            return self._end_in_order(reason)
        actions: list[Action] = []
        self._on_request, self._taking = False, None
        self._play(farewell(self._plan.faults, reason, self), actions, now)
        return actions

    def _take_new_plan(self) -> None:
        """The plan in force, unless its framing is another: then this connection keeps the one it has to its end."""
        new = self._in_force.plan
        if new.framing == self._plan.framing:
            self._plan: ListenerPlan = new
            self._selector = new.on_request.of(self._state)
        else:
            self._in_force = PlanInForce(self._plan)

    def _stop(self) -> None:
        """See `Ending._stop`."""
        self._forget_turn()
        self._buffer = b""
        self._partial_since = inf
