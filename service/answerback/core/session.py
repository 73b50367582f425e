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

from answerback.core.actions import Action, CloseReason, Send
from answerback.core.ending import CLOSING, LINGERING, NOTHING, OPEN, Ending
from answerback.core.framing import MOST, Buffer
from answerback.core.ledger import Ledger
from answerback.core.plan import ListenerPlan, PlanInForce, Rule
from answerback.core.steps import End, Step, Wait

# Rule: nothing here knows the time; callers pass it.
# Rule: one request at a time. Later bytes wait in the buffer and are framed when their turn comes.
# Rule: what is done for every request is done here in line; what is rare has a method of its own.

READ_AHEAD = 64 << 10  # bytes heard while a reply is in progress; more wait in the kernel
# Bytes of replies before the kernel must have taken them: a client that never reads costs no more.
OUTPUT_AHEAD = 64 << 10


class Session(Ending):
    """One connection's conversation, without its network."""

    __slots__ = (
        "_answered",
        "_blocked_since",
        "_born",
        "_buffer",
        "_draining",
        "_heard_at",
        "_in_force",
        "_ledger",
        "_on_request",
        "_partial_since",
        "_plan",
        "_resume_at",
        "_script",
        "_searched",
        "_started",
        "deadline",
        "request",
    )

    def __init__(self, in_force: PlanInForce, ledger: Ledger, now: float) -> None:
        self._in_force = in_force
        self._plan = in_force.plan
        self._ledger = ledger
        super().__init__()
        self._buffer: Buffer = b""
        self._searched = 0  # of the buffer, by the framing
        self._script: Iterator[Step] | None = None  # what is left of the one that waits
        self._on_request = False  # whether that one answers a request
        self._resume_at = inf
        self._started = now  # when the request in progress, and those in `_answered`, were received
        self._answered = 0  # requests finished, their replies not yet known to be in the kernel
        self._born = self._heard_at = now  # heard: or the end of the last reply
        self._partial_since = inf
        self._blocked_since = inf
        self._draining = False
        self.request = b""
        limits = self._plan.limits
        self.deadline = now + min(limits.idle_timeout, limits.lifetime)

    @property
    def greets(self) -> bool:
        """Whether `connected` has anything to do."""
        return self._plan.on_connect is not None

    def connected(self, now: float) -> Sequence[Action]:
        """The connection has been accepted."""
        rule = self._plan.on_connect
        if rule is None:
            return NOTHING
        self._ledger.matched(rule.place)
        self._script, self._on_request = iter(rule.steps), False
        return self._resume(now)

    def receive(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes, at least one."""
        self._heard_at = now
        if self._phase != OPEN:
            return self._discard(len(data))
        buffer = self._buffer
        if not buffer:
            self._buffer = data
            self._searched = 0
        elif type(buffer) is bytearray:
            buffer += data
        else:
            self._buffer = bytearray(buffer) + data
        if self._script is not None or self._blocked_since != inf:
            self.wants_read = len(self._buffer) < READ_AHEAD
            return NOTHING
        return self._converse(now)

    def eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half."""
        self._eof = True
        self.wants_read = False
        if self._phase in (CLOSING, LINGERING):
            return self._finish()
        if self._busy:
            return NOTHING
        return self._converse(now)

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
        if self._phase == OPEN:
            if self._script is None and (self._buffer or self._eof or self._draining):
                return self._converse(now)
        elif self._phase == CLOSING:
            self._linger(now)
            self.deadline = min(self.deadline, self._linger_until)
        return NOTHING

    def drain(self, now: float) -> Sequence[Action]:
        """Finish what is in progress, a half-heard request too, then close in order."""
        self._draining = True
        if self._phase != OPEN or self._busy:
            return NOTHING
        return self._converse(now)

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
        if self._phase != OPEN:
            return
        yield self._born + limits.lifetime, lambda: self._end_in_order(CloseReason.LIFETIME)
        yield self._resume_at, lambda: self._resume(now)
        yield self._partial_since + limits.request_timeout, lambda: self._end_in_order(CloseReason.REQUEST_TIMEOUT)
        if not self._busy:
            yield self._heard_at + limits.idle_timeout, lambda: self._end_in_order(CloseReason.IDLE_TIMEOUT)

    @property
    def _busy(self) -> bool:
        """Whether a reply is in progress: waiting for its next step, or for the kernel."""
        return self._script is not None or self._blocked_since != inf

    def _resume(self, now: float) -> Sequence[Action]:
        """Go on with the script in progress."""
        actions: list[Action] = []
        script = self._script
        assert script is not None
        self._script, self._resume_at = None, inf
        self._play(script, actions, now)
        if self._script is None:
            self._answered += self._on_request
            self._heard_at = now
            self.awaits_flush = True  # later requests are taken, and timed, from there
        return actions

    def _converse(self, now: float) -> Sequence[Action]:
        """Answer the requests in the buffer."""
        plan = self._plan
        if self._in_force.plan is not plan:
            plan = self._take_new_plan()
        actions, at, more = self._answer(plan, now)
        if at:
            self._started = now
            self.awaits_flush = True
        if self._phase == OPEN:
            self._keep(at)
            if self._buffer or self._eof or self._draining:
                actions += self._rest(more, at, now)
            else:
                self.wants_read = True
                self._partial_since = inf
        return actions

    def _answer(self, plan: ListenerPlan, now: float) -> tuple[list[Action], int, bool]:
        """Frame and answer requests: the actions, where the next one begins, and whether it may be whole too."""
        buffer = self._buffer
        requests, end = plan.framing.cut(buffer, self._searched)
        select, limit = plan.on_request.select, plan.limits.max_request_bytes
        actions: list[Action] = []
        size = answered = in_a_row = 0
        matched: Rule | None = None  # by so many in a row
        stop = False
        try:
            for request in requests:
                if end > limit and len(request) > limit:
                    actions += self._end_in_order(CloseReason.REQUEST_TOO_LARGE)
                    break
                rule = select(request)
                if rule is not matched:
                    if in_a_row:
                        self._count(matched, in_a_row)
                        in_a_row = 0
                    matched = rule
                in_a_row += 1
                answered += 1
                if rule is None:
                    continue
                reply = rule.reply
                if reply is not None:
                    actions.append(reply)
                    size += len(reply.data)
                else:
                    self.request = request
                    size += self._play(iter(rule.steps), actions, now)
                    stop = self._script is not None or self._phase != OPEN
                if stop or size >= OUTPUT_AHEAD:
                    break
        finally:
            if in_a_row:
                self._count(matched, in_a_row)
        if answered < len(requests):
            end = plan.framing.taken(buffer, answered)
        self._answered = answered
        if self._script is not None:
            self._on_request = True
            self._answered -= 1
        return actions, end, answered == MOST or size >= OUTPUT_AHEAD

    def _count(self, rule: Rule | None, requests: int) -> None:
        if rule is None:
            self._ledger.unmatched(requests)
        else:
            self._ledger.requested(rule.place, requests)

    def _play(self, script: Iterator[Step], actions: list[Action], now: float) -> int:
        """Take steps until one waits (`_script` is what is left then), or ends the conversation; the bytes sent."""
        size = 0
        for step in script:
            outcome = step(self) if callable(step) else step
            if type(outcome) is Send:
                actions.append(outcome)
                size += len(outcome.data)
            elif type(outcome) is Wait:
                self._ledger.delayed(outcome.seconds)
                self._script = script
                self._resume_at = now + outcome.seconds
                self.deadline = min(self.deadline, self._resume_at)
                break
            elif type(outcome) is End:
                actions += self._end_by_reset() if outcome.by_reset else self._end_in_order(CloseReason.SERVER_CLOSE)
                break
        return size

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
        if self._script is not None:
            self._partial_since = inf
            self.wants_read = not self._eof and left < READ_AHEAD
            return NOTHING
        if more:
            return NOTHING  # `flushed` goes on
        if self._eof:
            if left:
                self._ledger.truncated()
            self._reason = CloseReason.PEER_EOF
            return self._finish()
        if not left:
            self._partial_since = inf
            return self._end_in_order(CloseReason.DRAIN)
        if self._plan.framing.least(self._buffer) > self._plan.limits.max_request_bytes:
            return self._end_in_order(CloseReason.REQUEST_TOO_LARGE)
        self._searched = left
        if taken or self._partial_since == inf:
            self._partial_since = now
            self.deadline = min(self.deadline, now + self._plan.limits.request_timeout)
        return NOTHING

    def _take_new_plan(self) -> ListenerPlan:
        """The plan in force, unless its framing is another: then this connection keeps the one it has to its end."""
        new = self._in_force.plan
        if new.framing == self._plan.framing:
            self._plan = new
        else:
            self._in_force = PlanInForce(self._plan)
        return self._plan

    def _stop(self) -> None:
        """See `Ending._stop`."""
        self._script, self._buffer = None, b""
        self._resume_at = self._partial_since = inf
